//! What a bundle starts: from the command line, with defaults from the image.

use crate::PackError;
use crate::layout::read_file;
use crate::manifest::Entry;
use friscy_vfs::{FileType, Lower, resolve};

/// Where programs without a slash in their name are looked for, and what `PATH` says unless it is given.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Shells to start when nothing else is named, best first.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The program and its arguments; empty for a shell.
    pub command: Vec<String>,
    /// `NAME=value`; they replace defaults of the same name.
    pub env: Vec<String>,
    /// The working directory, absolute, or the user's home if it is not given.
    pub cwd: Option<String>,
    /// `USER[:GROUP]`, each a name of the image or a number.
    pub user: Option<String>,
    /// The host name.
    pub hostname: Option<String>,
}

/// Completes `wishes` from the image.
///
/// # Errors
/// [`PackError::NoEntry`] when the program, the user or the group is not in the image.
pub fn complete(lower: &dyn Lower, wishes: &Wishes) -> Result<Entry, PackError> {
    let user = User::find(lower, wishes.user.as_deref().unwrap_or("0"))?;
    let hostname = wishes.hostname.clone().unwrap_or_else(|| "friscy".into());
    let mut env = vec![
        format!("HOME={}", user.home),
        format!("HOSTNAME={hostname}"),
        "LANG=C.UTF-8".into(),
        format!("PATH={DEFAULT_PATH}"),
        "TERM=xterm-256color".into(),
    ];
    for wish in &wishes.env {
        let name = wish.split('=').next().unwrap_or_default();
        env.retain(|have| have.split('=').next() != Some(name));
        env.push(wish.clone());
    }
    let path = env.iter().find_map(|have| have.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut argv = wishes.command.clone();
    match argv.first_mut() {
        None => {
            let shell = SHELLS.into_iter().find(|shell| is_file(lower, shell));
            argv.push(
                shell.ok_or_else(|| PackError::NoEntry("the image has neither /bin/bash nor /bin/sh".into()))?.into(),
            );
        }
        Some(program) if program.contains('/') => {
            if !is_file(lower, program) {
                return Err(PackError::NoEntry(format!("{program} is not a file in the image")));
            }
        }
        Some(program) => {
            let full = path.split(':').map(|dir| format!("{dir}/{program}")).find(|path| is_file(lower, path));
            *program = full.ok_or_else(|| PackError::NoEntry(format!("{program} is not in {path} of the image")))?;
        }
    }
    let cwd = match &wishes.cwd {
        Some(cwd) => cwd.clone(),
        None if is_dir(lower, &user.home) => user.home.clone(),
        None => "/".into(),
    };
    // A directory that is missing is made when the program starts, as docker does.
    let taken = !is_dir(lower, &cwd) && resolve(lower, cwd.as_bytes()).is_some();
    if !cwd.starts_with('/') || taken {
        return Err(PackError::NoEntry(format!("{cwd} is not a directory in the image")));
    }
    Ok(Entry { argv, env, cwd, uid: user.uid, gid: user.gid, hostname })
}

/// What the page calls the image: `PRETTY_NAME` of its os-release, or `fallback`.
#[must_use]
pub fn display_name(lower: &dyn Lower, fallback: &str) -> String {
    let release = text(lower, "etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map(|name| name.trim_matches('"').to_owned()).filter(|name| !name.is_empty()).unwrap_or(fallback.into())
}

struct User {
    uid: u32,
    gid: u32,
    home: String,
}

impl User {
    fn find(lower: &dyn Lower, wish: &str) -> Result<User, PackError> {
        let (user, group) = wish.split_once(':').map_or((wish, None), |(user, group)| (user, Some(group)));
        let passwd = text(lower, "etc/passwd");
        let row = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|row| {
            row.len() >= 6 && (row[0] == user || user.parse::<u32>().is_ok_and(|uid| row[2].parse() == Ok(uid)))
        });
        let (uid, own_group, home) = match row {
            Some(row) => (row[2].parse().unwrap_or(0), row[3].parse().unwrap_or(0), row[5].to_owned()),
            None => {
                let uid = user.parse().map_err(|_| PackError::NoEntry(format!("the image has no user {user}")))?;
                (uid, 0, if uid == 0 { "/root".into() } else { "/".into() })
            }
        };
        let gid = match group {
            None => own_group,
            Some(group) => match group.parse() {
                Ok(gid) => gid,
                Err(_) => text(lower, "etc/group")
                    .lines()
                    .map(|line| line.split(':').collect::<Vec<_>>())
                    .find(|row| row.len() >= 3 && row[0] == group)
                    .and_then(|row| row[2].parse().ok())
                    .ok_or_else(|| PackError::NoEntry(format!("the image has no group {group}")))?,
            },
        };
        Ok(User { uid, gid, home })
    }
}

fn text(lower: &dyn Lower, path: &str) -> String {
    let bytes = resolve(lower, path.as_bytes()).and_then(|id| {
        let stat = lower.stat(id).ok()?;
        (stat.file_type == FileType::Regular).then(|| read_file(lower, id, path.as_bytes(), stat.size).ok())?
    });
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

fn is_type(lower: &dyn Lower, path: &str, file_type: FileType) -> bool {
    resolve(lower, path.as_bytes()).and_then(|id| lower.stat(id).ok()).is_some_and(|stat| stat.file_type == file_type)
}

fn is_file(lower: &dyn Lower, path: &str) -> bool {
    is_type(lower, path, FileType::Regular)
}

fn is_dir(lower: &dyn Lower, path: &str) -> bool {
    is_type(lower, path, FileType::Directory)
}
