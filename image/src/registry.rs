//! Fetching from a registry by the OCI distribution specification ("Pull"), with docker's ways of authorisation.
//!
//! Registries on this host's loopback addresses are spoken to by plain HTTP, all others by HTTPS only; credentials come
//! from docker's configuration (`$DOCKER_CONFIG` or `~/.docker`, credential helpers included) and are sent to the
//! registry or, encrypted, to the service that it names for tokens.

use crate::blobs::{Blob, Blobs, MAX_DOCUMENT, Part};
use crate::digest::Digest;
use crate::error::Problem;
use crate::store::{Cache, Pending};
use docker_credential::{CredentialRetrievalError, DockerCredential};
use friscy_vfs::native::MappedFile;
use oci_spec::distribution::Reference;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Times that a blob is tried to be fetched when the connection breaks.
const ATTEMPTS: u32 = 3;

/// The kinds of manifest that are understood.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

/// A repository of a registry.
pub(crate) struct Registry<'a> {
    agent: Agent,
    reference: &'a Reference,
    /// Scheme, host and port.
    origin: String,
    /// What the header `Authorization` says, once it is known.
    authorization: RefCell<Option<String>>,
    cache: Option<&'a Cache>,
    /// The most bytes of a blob.
    limit: u64,
    manifests: RefCell<BTreeMap<Digest, Blob>>,
}

/// What a service for tokens answers.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'a> Registry<'a> {
    /// The repository that a reference names. Nothing is fetched yet.
    pub(crate) fn new(reference: &'a Reference, cache: Option<&'a Cache>, limit: u64) -> Registry<'a> {
        let host = reference.resolve_registry();
        let scheme = if is_loopback(host) { "http" } else { "https" };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(scheme == "https")
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .user_agent(concat!("friscy/", env!("CARGO_PKG_VERSION")))
            .build();
        Registry {
            agent: config.new_agent(),
            reference,
            origin: format!("{scheme}://{host}"),
            authorization: RefCell::new(None),
            cache,
            limit,
            manifests: RefCell::default(),
        }
    }

    /// Fetches what the reference names, a manifest or an index, and answers its digest.
    ///
    /// # Errors
    /// [`Problem::Registry`].
    pub(crate) fn resolve(&self) -> Result<Digest, Problem> {
        let wanted = match self.reference.digest() {
            Some(digest) => Some(
                Digest::parse(digest)
                    .ok_or_else(|| self.problem(format!("{digest} is no digest by sha256 or sha512")))?,
            ),
            None => None,
        };
        let name = self.reference.digest().or(self.reference.tag()).unwrap_or("latest");
        let response = self.get(&format!("manifests/{name}"), MANIFESTS)?.ok_or_else(|| {
            self.problem(format!("there is no {} with the tag or digest {name}", self.reference.repository()))
        })?;
        let bytes = self.read(response, MAX_DOCUMENT)?;
        // A digest that was asked for is verified where the manifest is read.
        let digest = wanted.unwrap_or_else(|| Digest::of(&bytes));
        self.manifests.borrow_mut().insert(digest.clone(), Blob::of_bytes(bytes));
        Ok(digest)
    }

    fn problem(&self, what: String) -> Problem {
        Problem::Registry(format!("the registry {}: {what}", self.reference.registry()))
    }

    fn failed(&self, error: &ureq::Error) -> Problem {
        self.problem(format!("{error}; is the name right, and the network there?"))
    }

    fn read(&self, response: Response<Body>, limit: u64) -> Result<Vec<u8>, Problem> {
        let mut reader = response.into_body().into_with_config().limit(limit).reader();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| self.problem(error.to_string()))?;
        Ok(bytes)
    }

    /// Asks for a part of the repository; `None` if it is not there.
    fn get(&self, path: &str, accept: &str) -> Result<Option<Response<Body>>, Problem> {
        let url = format!("{}/v2/{}/{path}", self.origin, self.reference.repository());
        let mut authorized = false;
        loop {
            let mut request = self.agent.get(&url).header("Accept", accept);
            if let Some(authorization) = &*self.authorization.borrow() {
                request = request.header("Authorization", authorization);
            }
            let response = request.call().map_err(|error| self.failed(&error))?;
            match response.status().as_u16() {
                200 => return Ok(Some(response)),
                404 => return Ok(None),
                401 if !authorized => {
                    let challenge = response.headers().get("WWW-Authenticate").and_then(|value| value.to_str().ok());
                    self.authorize(challenge.unwrap_or_default())?;
                    authorized = true;
                }
                401 | 403 => {
                    let (repository, registry) = (self.reference.repository(), self.reference.registry());
                    return Err(self.problem(format!(
                        "it denies {repository}: there is no such repository, or `docker login {registry}` comes first"
                    )));
                }
                status => return Err(self.problem(format!("it answers with status {status}; try again later"))),
            }
        }
    }

    /// Answers a challenge (RFC 9110, 11.6.1) of the kinds Basic and Bearer.
    fn authorize(&self, challenge: &str) -> Result<(), Problem> {
        let (scheme, parameters) = parse_challenge(challenge);
        let parameter = |name: &str| parameters.get(name).map(String::as_str);
        let credential = self.credential()?;
        let basic = match &credential {
            Some(DockerCredential::UsernamePassword(user, password)) => Some(basic(user, password)),
            _ => None,
        };
        let authorization = match (scheme.as_str(), parameter("realm")) {
            ("basic", _) => basic,
            ("bearer", Some(realm)) => {
                let same = realm.strip_prefix(&self.origin).is_some_and(|rest| rest.starts_with('/'));
                if !realm.starts_with("https://") && !same {
                    return Err(self.problem(format!("it asks for tokens of {realm}, which is not encrypted")));
                }
                let scope = format!("repository:{}:pull", self.reference.repository());
                let scope = parameter("scope").unwrap_or(&scope).to_owned();
                let service = parameter("service").unwrap_or_default();
                let response = match &credential {
                    Some(DockerCredential::IdentityToken(token)) => {
                        let form = [
                            ("grant_type", "refresh_token"),
                            ("client_id", "friscy"),
                            ("refresh_token", token),
                            ("service", service),
                            ("scope", &scope),
                        ];
                        self.agent.post(realm).send_form(form)
                    }
                    _ => {
                        let mut request = self.agent.get(realm).query("service", service).query("scope", &scope);
                        if let Some(basic) = &basic {
                            request = request.header("Authorization", basic);
                        }
                        request.call()
                    }
                };
                let response = response.map_err(|error| self.failed(&error))?;
                if response.status().as_u16() != 200 {
                    let status = response.status();
                    return Err(self.problem(format!("{realm} gives no token ({status}): is `docker login` right?")));
                }
                let token: Token = serde_json::from_slice(&self.read(response, MAX_DOCUMENT)?)
                    .map_err(|error| self.problem(format!("{realm} gives no token ({error})")))?;
                token.token.or(token.access_token).map(|token| format!("Bearer {token}"))
            }
            _ => None,
        };
        *self.authorization.borrow_mut() = authorization;
        Ok(())
    }

    /// What docker's configuration has for this registry.
    fn credential(&self) -> Result<Option<DockerCredential>, Problem> {
        let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".docker"));
        let dir = env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
        if !dir.is_some_and(|dir| dir.join("config.json").exists()) {
            return Ok(None);
        }
        let (named, resolved) = (self.reference.registry(), self.reference.resolve_registry());
        // The default registry's key is its first version's address.
        let keys =
            [named.to_owned(), format!("https://{named}"), format!("https://{resolved}/v1/"), resolved.to_owned()];
        for key in keys {
            match docker_credential::get_credential(&key) {
                Ok(credential) => return Ok(Some(credential)),
                Err(
                    CredentialRetrievalError::NoCredentialConfigured
                    | CredentialRetrievalError::ConfigNotFound
                    | CredentialRetrievalError::HelperFailure { .. },
                ) => {}
                Err(error) => return Err(self.problem(format!("docker's config.json: {error}"))),
            }
        }
        Ok(None)
    }

    /// Fetches a blob into a file without a name that lasts.
    fn fetch(&self, digest: &Digest, size: Option<u64>) -> Result<Option<Blob>, Problem> {
        let mut pending = match self.cache {
            Some(cache) => cache.begin(&format!("pull-{}", digest.hex())).map_err(Problem::beside(cache.dir()))?,
            None => Pending::nameless().map_err(Problem::beside(&std::env::temp_dir()))?,
        };
        let folder = pending.folder();
        // One byte more than there may be shows that there are too many.
        let limit = size.map_or(self.limit, |size| size.saturating_add(1)).min(self.limit);
        for attempt in 1.. {
            let Some(response) = self.get(&format!("blobs/{digest}"), "*/*")? else { return Ok(None) };
            let mut reader = response.into_body().into_with_config().limit(u64::MAX).reader().take(limit);
            pending.file.set_len(0).map_err(Problem::beside(&folder))?;
            io::Seek::rewind(&mut pending.file).map_err(Problem::beside(&folder))?;
            match copy(&mut reader, &mut pending.file) {
                Ok(()) => break,
                Err(CopyError::Read(_)) if attempt < ATTEMPTS => {}
                Err(CopyError::Read(error)) => return Err(self.problem(format!("{error}; try again later"))),
                Err(CopyError::Write(error)) => return Err(Problem::beside(&folder)(error)),
            }
        }
        let file = MappedFile::map(&pending.file).map_err(Problem::beside(&folder))?;
        Ok(Some(Blob::whole(Rc::new(file))))
    }
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

fn copy(reader: &mut dyn Read, writer: &mut dyn io::Write) -> Result<(), CopyError> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => writer.write_all(buffer.get(..count).unwrap_or_default()).map_err(CopyError::Write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
}

impl Blobs for Registry<'_> {
    fn get(&self, part: Part<'_>) -> Result<Option<Blob>, Problem> {
        match part {
            Part::File(_) => Ok(None),
            Part::Blob(digest, size) => self.fetch(digest, size),
            Part::Manifest(digest) => {
                let known = self.manifests.borrow().get(digest).cloned();
                if known.is_some() {
                    return Ok(known);
                }
                let Some(response) = Registry::get(self, &format!("manifests/{digest}"), MANIFESTS)? else {
                    return Ok(None);
                };
                Ok(Some(Blob::of_bytes(self.read(response, MAX_DOCUMENT)?)))
            }
        }
    }
}

/// Whether a host, with or without a port, is this one.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The header for a user and a password (RFC 7617).
fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}")
}

/// The scheme of a challenge in lower case, and its parameters.
fn parse_challenge(text: &str) -> (String, BTreeMap<String, String>) {
    let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let mut parameters = BTreeMap::new();
    while let Some((name, value)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => value.split_once(',').unwrap_or((value, "")),
        };
        parameters.insert(name, value.trim().to_owned());
        rest = after;
    }
    (scheme.to_ascii_lowercase(), parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let (scheme, parameters) =
            parse_challenge(r#"Bearer realm="https://auth.example/token",service="a, b=c",scope=repository:x:pull"#);
        assert_eq!(scheme, "bearer");
        let expected = [("realm", "https://auth.example/token"), ("scope", "repository:x:pull"), ("service", "a, b=c")];
        assert_eq!(parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
        for odd in ["", "Basic", "Basic realm", "Basic realm=", "Basic realm=\"", "=\"=,=", "Bearer ==,\"\""] {
            let _ = parse_challenge(odd);
        }
        assert_eq!(basic("user", "secret"), "Basic dXNlcjpzZWNyZXQ=");
    }

    #[test]
    fn only_this_host_is_spoken_to_in_plain() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.9.1", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "localhost.example:80", "10.0.0.1:5000", "127.0.0.1.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
