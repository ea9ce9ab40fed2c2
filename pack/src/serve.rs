//! A small server for bundles on this machine: static files, the right types, the headers of cross-origin isolation.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::thread;
use tiny_http::{Header, Method, Request, Response, Server};

/// What every answer carries. The first two make the page cross-origin isolated, which is faster where a browser needs
/// it for precise clocks, and never necessary.
const HEADERS: [(&str, &str); 5] = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
];

/// Requests that are answered at the same time.
const THREADS: usize = 4;

/// A server that is bound but does not answer yet.
pub struct Bundle {
    server: Server,
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
        let server = Server::http(SocketAddr::new(bind, port)).map_err(io::Error::other)?;
        let address = server.server_addr().to_ip().ok_or_else(|| io::Error::other("not an internet address"))?;
        Ok(Bundle { server, root, address })
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
    pub fn run(&self) {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while let Ok(request) = self.server.recv() {
                        // A client that went away is no concern of the server's.
                        let _ = answer(&self.root, request);
                    }
                });
            }
        });
    }
}

fn answer(root: &Path, request: Request) -> io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(with_headers(Response::from_string("only GET and HEAD").with_status_code(405), &[]));
    }
    let path = request.url().split(['?', '#']).next().unwrap_or_default().to_owned();
    match locate(root, &path) {
        Some(Located::File(path)) => {
            let file = File::open(&path)?;
            // Everything below files/ is named by its hash and never changes.
            let keep = if path.parent().and_then(Path::file_name).is_some_and(|dir| dir == crate::manifest::FILES) {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            };
            let headers = [("Content-Type", content_type(&path)), ("Cache-Control", keep)];
            request.respond(with_headers(Response::from_file(file), &headers))
        }
        Some(Located::Folder) => {
            let target = format!("{path}/");
            request.respond(with_headers(Response::from_string("").with_status_code(308), &[("Location", &target)]))
        }
        None => request.respond(with_headers(Response::from_string("not found\n").with_status_code(404), &[])),
    }
}

fn with_headers<R: io::Read>(mut response: Response<R>, more: &[(&str, &str)]) -> Response<R> {
    for (name, value) in HEADERS.iter().chain(more) {
        if let Ok(header) = Header::from_bytes(*name, *value) {
            response.add_header(header);
        }
    }
    response
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
            "/sub/", "/link", "/../secret", "/%2e%2e/secret", "/sub/..%2f..%2fsecret", "/%", "/%zz", "/%+1", "//secret",
            "/index.html/", "", "secret", "/index.html%00",
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
        let page = get(address, "GET /?pool=2");
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains("Content-Type: text/html; charset=utf-8\r\n"), "{page}");
        assert!(page.contains("Cross-Origin-Opener-Policy: same-origin\r\n"), "{page}");
        assert!(page.contains("Cross-Origin-Embedder-Policy: require-corp\r\n"), "{page}");
        assert!(page.ends_with("\r\n\r\nhello"), "{page}");
        assert!(get(address, "GET /files/0.z").contains("immutable"));
        assert!(get(address, "HEAD /").ends_with("\r\n\r\n"));
        assert!(get(address, "GET /no").starts_with("HTTP/1.1 404"));
        assert!(get(address, "GET /files").contains("Location: /files/\r\n"));
        assert!(get(address, "POST /").starts_with("HTTP/1.1 405"));
    }
}
