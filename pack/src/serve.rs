//! A small server for bundles on this machine: static files, the right types, the headers of cross-origin isolation.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What every answer carries. The first two make the page cross-origin isolated, which is faster where a browser needs
/// it for precise clocks, and never necessary.
const HEADERS: [(&str, &str); 5] = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
];

/// How long to wait when the host can take no more connections.
const PAUSE: Duration = Duration::from_millis(50);

/// A server that is bound but does not answer yet.
pub struct Bundle {
    listener: TcpListener,
    root: PathBuf,
    address: SocketAddr,
}

impl Bundle {
    /// Binds to `bind` and `port` (0: any free one) to serve the folder `dir`.
    ///
    /// # Errors
    /// The folder does not exist, or the address cannot be bound.
    pub fn bind(dir: &Path, bind: IpAddr, port: u16) -> io::Result<Bundle> {
        let root = dir.canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let listener = TcpListener::bind(SocketAddr::new(bind, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Bundle { listener, root, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to type into a browser on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let ip = self.address.ip();
        let host = match ip {
            _ if ip.is_loopback() || ip.is_unspecified() => "localhost".into(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("http://{host}:{}/", self.address.port())
    }

    /// Answers requests until the process ends.
    ///
    /// # Errors
    /// The host refuses what an event loop needs.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let root = Arc::new(self.root);
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let root = root.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let root = root.clone();
                        async move { Ok::<_, Infallible>(answer(&root, &request)) }
                    });
                    // A client that went away is no concern of the server's.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
    }
}

/// The answer to a request. hyper sends no body to a HEAD.
fn answer(root: &Path, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::builder();
    for (name, value) in HEADERS {
        response = response.header(name, value);
    }
    let (response, body) = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        (response.status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, "GET, HEAD"), Vec::new())
    } else {
        let path = request.uri().path();
        let found = match locate(root, path) {
            // Files of a bundle are small; reading one takes less than handing it to another thread.
            Some(Located::File(file)) => std::fs::read(&file).ok().map(|body| (file, body)),
            Some(Located::Folder) => {
                let target = format!("{path}/");
                let response = response.status(StatusCode::PERMANENT_REDIRECT).header(LOCATION, target);
                return response.body(Full::default()).unwrap_or_default();
            }
            None => None,
        };
        match found {
            Some((file, body)) => {
                // Everything below files/ is named by its hash and never changes.
                let folder = file.parent().and_then(Path::file_name);
                let keep = if folder.is_some_and(|folder| folder == crate::manifest::FILES) {
                    "public, max-age=31536000, immutable"
                } else {
                    "no-cache"
                };
                (response.header(CONTENT_TYPE, content_type(&file)).header(CACHE_CONTROL, keep), body)
            }
            None => (response.status(StatusCode::NOT_FOUND), b"not found\n".to_vec()),
        }
    };
    // Every header above is a constant or a path that came in one.
    response.body(Full::new(body.into())).unwrap_or_default()
}

#[derive(Debug, PartialEq, Eq)]
enum Located {
    File(PathBuf),
    /// A folder that was asked for without its final slash.
    Folder,
}

/// The file that a URL path names, if it lies below `root`, symbolic links included.
fn locate(root: &Path, url_path: &str) -> Option<Located> {
    let decoded = percent_decode(url_path)?;
    let relative = Path::new(decoded.strip_prefix('/')?);
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) || decoded.contains(['\0', '\\']) {
        return None;
    }
    let mut path = root.join(relative).canonicalize().ok()?;
    if path.is_dir() {
        if !decoded.ends_with('/') {
            return path.starts_with(root).then_some(Located::Folder);
        }
        path = path.join("index.html").canonicalize().ok()?;
    } else if decoded.ends_with('/') {
        return None;
    }
    (path.starts_with(root) && path.is_file()).then_some(Located::File(path))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};
    use std::thread;

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("site");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        fs::write(root.join("index.html"), "x").unwrap();
        fs::write(root.join("a b.js"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        let root = root.canonicalize().unwrap();
        let file = |name: &str| Some(Located::File(root.join(name)));
        assert_eq!(locate(&root, "/"), file("index.html"));
        assert_eq!(locate(&root, "/a%20b.js"), file("a b.js"));
        assert_eq!(locate(&root, "/sub"), Some(Located::Folder));
        for path in [
            "/sub/",
            "/link",
            "/../secret",
            "/%2e%2e/secret",
            "/sub/..%2f..%2fsecret",
            "/%",
            "/%zz",
            "/%+1",
            "//secret",
            "/index.html/",
            "",
            "secret",
            "/index.html%00",
        ] {
            assert_eq!(locate(&root, path), None, "{path}");
        }
    }

    fn get(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn answers_carry_types_and_headers() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("files")).unwrap();
        fs::write(dir.path().join("index.html"), "hello").unwrap();
        fs::write(dir.path().join("files/0.z"), "chunk").unwrap();
        let bundle = Bundle::bind(dir.path(), Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        let address = bundle.address();
        assert_eq!(bundle.url(), format!("http://localhost:{}/", address.port()));
        thread::spawn(move || bundle.run());
        // Connections on which nothing is asked, as browsers open them, hold nobody up.
        let _idle: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
        let page = get(address, "GET /?pool=2");
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.to_lowercase().contains("content-type: text/html; charset=utf-8\r\n"), "{page}");
        assert!(page.to_lowercase().contains("cross-origin-opener-policy: same-origin\r\n"), "{page}");
        assert!(page.to_lowercase().contains("cross-origin-embedder-policy: require-corp\r\n"), "{page}");
        assert!(page.ends_with("\r\n\r\nhello"), "{page}");
        assert!(get(address, "GET /files/0.z").contains("immutable"));
        assert!(get(address, "HEAD /").ends_with("\r\n\r\n"));
        assert!(get(address, "GET /no").starts_with("HTTP/1.1 404"));
        assert!(get(address, "GET /files").contains("location: /files/\r\n"));
        assert!(get(address, "POST /").starts_with("HTTP/1.1 405"));
    }
}
