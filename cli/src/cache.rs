//! `friscy cache`: what images left on this host.

use crate::error::Error;
use crate::options::{CacheCommand, CacheOptions};
use friscy_image::{Cache, FOLDER_VARIABLE};
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

/// Lists or removes.
///
/// # Errors
/// The environment names no folder, or the host refuses.
pub fn cache(options: &CacheOptions) -> Result<ExitCode, Error> {
    let cache = Cache::from_env()
        .ok_or_else(|| Error::Other(format!("there is no cache folder: neither {FOLDER_VARIABLE} nor HOME is set")))?;
    match options.command {
        CacheCommand::Ls => list(&cache),
        CacheCommand::Prune { all } => {
            let gone = cache.prune(all).map_err(|error| Error::host(cache.dir(), error))?;
            println!("{} removed", size(gone));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(cache: &Cache) {
    let mut text = String::new();
    for image in cache.images() {
        text += &format!("{:>9}  {:<14}  {}\n", size(image.bytes), age(image.used), image.name);
    }
    text += &format!("{:>9}  in {}\n", size(cache.bytes()), cache.dir().display());
    // A reader that has seen enough is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// A number of bytes in the largest unit of which there is one.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} B"),
    }
}

/// How long ago something was.
fn age(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).map_or(0, |age| age.as_secs());
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    match units.into_iter().find(|(unit, _)| seconds >= *unit) {
        Some((unit, name)) => {
            let count = seconds / unit;
            format!("{count} {name}{} ago", if count == 1 { "" } else { "s" })
        }
        None => "now".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn sizes_and_ages_in_words() {
        assert_eq!([0, 1023, 1536, 300 << 20].map(size), ["0 B", "1023 B", "1.5 kB", "300.0 MB"]);
        let ago = |seconds| age(SystemTime::now() - Duration::from_secs(seconds));
        assert_eq!([61, 7300, 172_801].map(ago), ["1 minute ago", "2 hours ago", "2 days ago"]);
    }
}
