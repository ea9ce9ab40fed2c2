//! The documents of images: the OCI image specification's index, manifest and configuration, and docker's
//! `manifest.json`. Only what is used is read; unknown members are passed over, and `null` is as good as nothing.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Refers to contents by digest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub media_type: Option<String>,
    pub digest: Digest,
    pub size: Option<u64>,
    pub platform: Option<Platform>,
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What an image runs on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    pub variant: Option<String>,
}

impl Platform {
    /// Whether friscy runs it.
    pub(crate) fn fits(&self) -> bool {
        self.os == "linux" && self.architecture == "riscv64"
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) if !variant.is_empty() => write!(f, "/{variant}"),
            _ => Ok(()),
        }
    }
}

/// An index, or `index.json` of a layout, or docker's manifest list.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Index {
    pub manifests: Vec<Descriptor>,
}

/// A manifest of one image.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// The configuration of an image.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ImageConfig {
    #[serde(flatten)]
    pub platform: Platform,
    pub config: Option<ContainerConfig>,
    pub rootfs: RootFs,
}

/// The layers of an image, lowest first, by the digests of their tars.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RootFs {
    pub diff_ids: Vec<Digest>,
}

/// What containers of an image are made of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerConfig {
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub env: Option<Vec<String>>,
    pub working_dir: Option<String>,
    pub user: Option<String>,
}

/// An image in docker's `manifest.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DockerImage {
    pub config: String,
    pub repo_tags: Option<Vec<String>>,
    pub layers: Vec<String>,
}

/// What an image says about how it is run. Everything is empty where it says nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Config {
    /// The program that is always started, and its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments, or the command if there is no entry point, that the user may replace.
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// The working directory.
    pub working_dir: String,
    /// `USER[:GROUP]`, each a name of the image or a number.
    pub user: String,
}

impl From<ContainerConfig> for Config {
    fn from(config: ContainerConfig) -> Config {
        Config {
            entrypoint: config.entrypoint.unwrap_or_default(),
            cmd: config.cmd.unwrap_or_default(),
            env: config.env.unwrap_or_default(),
            working_dir: config.working_dir.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
        }
    }
}

impl Config {
    /// The first process's arguments as docker makes them: `entrypoint` and `command` are what the user gave. Either
    /// one replaces the image's `cmd`; an empty entry point means none.
    #[must_use]
    pub fn argv(&self, entrypoint: Option<&str>, command: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let bytes = |words: &[String]| words.iter().map(|word| word.clone().into_bytes()).collect::<Vec<_>>();
        let mut argv = match entrypoint {
            Some("") => Vec::new(),
            Some(entrypoint) => vec![entrypoint.as_bytes().to_vec()],
            None => bytes(&self.entrypoint),
        };
        if command.is_empty() && entrypoint.is_none() {
            argv.extend(bytes(&self.cmd));
        } else {
            argv.extend_from_slice(command);
        }
        argv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: &str, entrypoint: Option<&str>, command: &[&str], expected: &str) {
        let config: ContainerConfig = serde_json::from_str(config).unwrap();
        let command: Vec<Vec<u8>> = command.iter().map(|word| word.as_bytes().to_vec()).collect();
        let argv = Config::from(config).argv(entrypoint, &command);
        assert_eq!(argv.join(&b' '), expected.as_bytes());
    }

    #[test]
    fn arguments_are_dockers() {
        let both = r#"{"Entrypoint":["/e","1"],"Cmd":["c"]}"#;
        check(both, None, &[], "/e 1 c");
        check(both, None, &["x", "y"], "/e 1 x y");
        check(both, Some("/z"), &[], "/z");
        check(both, Some("/z"), &["x"], "/z x");
        check(both, Some(""), &["x"], "x");
        check(both, Some(""), &[], "");
        check(r#"{"Entrypoint":null,"Cmd":["c","d"],"Unknown":1}"#, None, &[], "c d");
        check(r#"{"Cmd":["c","d"]}"#, None, &["x"], "x");
    }
}
