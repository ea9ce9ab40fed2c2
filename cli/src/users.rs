//! Users and groups of the image, as `-u` names them.

use crate::error::Error;
use crate::image::Image;
use friscy_engine::User;

/// Who runs the first process, and where its home is.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// Ids.
    pub user: User,
    /// Home directory.
    pub home: String,
}

/// Looks up `USER[:GROUP]`, each a name or a number, in the image's /etc/passwd and /etc/group.
///
/// # Errors
/// A name that is not there.
pub fn look_up(image: &Image, wish: &str) -> Result<Identity, Error> {
    let passwd = String::from_utf8_lossy(&image.read("/etc/passwd")).into_owned();
    let group = String::from_utf8_lossy(&image.read("/etc/group")).into_owned();
    resolve(&passwd, &group, wish).map_err(Error::Other)
}

fn resolve(passwd: &str, groups: &str, wish: &str) -> Result<Identity, String> {
    let (name, group) = wish.split_once(':').map_or((wish, None), |(user, group)| (user, Some(group)));
    let rows = |text: &'_ str| -> Vec<Vec<String>> {
        text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
    };
    let number = name.parse::<u32>().ok();
    let row = rows(passwd)
        .into_iter()
        .filter(|row| row.len() >= 6)
        .find(|row| row[0] == name || number.is_some_and(|uid| row[2].parse() == Ok(uid)));
    let group_rows = rows(groups);
    let (uid, mut gid, home, name) = match (row, number) {
        (Some(row), _) => {
            (row[2].parse().unwrap_or(0), row[3].parse().unwrap_or(0), row[5].clone(), Some(row[0].clone()))
        }
        (None, Some(uid)) => (uid, 0, String::from(if uid == 0 { "/root" } else { "/" }), None),
        (None, None) => return Err(format!("user {name}: not in the image's /etc/passwd; a number works too")),
    };
    let mut supplementary = Vec::new();
    match group {
        Some(wish) => {
            gid = match wish.parse() {
                Ok(gid) => gid,
                Err(_) => group_rows
                    .iter()
                    .find(|row| row.len() >= 3 && row[0] == wish)
                    .and_then(|row| row[2].parse().ok())
                    .ok_or_else(|| format!("group {wish}: not in the image's /etc/group; a number works too"))?,
            };
        }
        // A user's further groups come with the name, not with an explicit group (docker does the same).
        None => {
            if let Some(name) = &name {
                let member = |row: &&Vec<String>| row.len() >= 4 && row[3].split(',').any(|member| member == name);
                supplementary = group_rows.iter().filter(member).filter_map(|row| row[2].parse().ok()).collect();
            }
        }
    }
    Ok(Identity { user: User { uid, gid, groups: supplementary }, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww:x:33:34::/var/www:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nwww:x:34:\naudio:x:29:games,www\nusers:x:100:\n";

    #[track_caller]
    fn check(wish: &str, uid: u32, gid: u32, groups: &[u32], home: &str) {
        let expected = Identity { user: User { uid, gid, groups: groups.to_vec() }, home: home.into() };
        assert_eq!(resolve(PASSWD, GROUP, wish), Ok(expected));
    }

    #[test]
    fn names_and_numbers() {
        check("root", 0, 0, &[], "/root");
        check("0", 0, 0, &[], "/root");
        check("www", 33, 34, &[29], "/var/www");
        check("33", 33, 34, &[29], "/var/www");
        check("www:users", 33, 100, &[], "/var/www");
        check("1000:7", 1000, 7, &[], "/");
        check("1000", 1000, 0, &[], "/");
        assert!(resolve(PASSWD, GROUP, "nobody").unwrap_err().contains("nobody"));
        assert!(resolve(PASSWD, GROUP, "root:none").unwrap_err().contains("none"));
    }
}
