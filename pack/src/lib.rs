//! Writes static web bundles.
