//! What reads the host: mapped files and host folders.
