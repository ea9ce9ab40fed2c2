//! What the workspace's tests share: where friscy and the root file system are, running programs in both friscy and the
//! referee (Linux with qemu-user), and a terminal to type into.

pub mod guest;
pub mod images;
pub mod places;
pub mod terminal;
