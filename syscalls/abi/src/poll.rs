//! Waiting for files: poll(2), epoll(7), eventfd(2), timerfd_create(2), inotify(7).

use crate::table::constants;

constants! {
    /// Events of poll(2).
    POLL_EVENTS: u32;
    POLLIN = 1,
    POLLPRI = 2,
    POLLOUT = 4,
    POLLERR = 8,
    POLLHUP = 0x10,
    POLLNVAL = 0x20,
    POLLRDNORM = 0x40,
    POLLRDBAND = 0x80,
    POLLWRNORM = 0x100,
    POLLWRBAND = 0x200,
    POLLMSG = 0x400,
    POLLRDHUP = 0x2000,
}

constants! {
    /// Events of epoll_ctl(2).
    EPOLL_EVENTS: u32;
    EPOLLIN = 1,
    EPOLLPRI = 2,
    EPOLLOUT = 4,
    EPOLLERR = 8,
    EPOLLHUP = 0x10,
    EPOLLRDNORM = 0x40,
    EPOLLRDBAND = 0x80,
    EPOLLWRNORM = 0x100,
    EPOLLWRBAND = 0x200,
    EPOLLMSG = 0x400,
    EPOLLRDHUP = 0x2000,
    EPOLLEXCLUSIVE = 0x1000_0000,
    EPOLLWAKEUP = 0x2000_0000,
    EPOLLONESHOT = 0x4000_0000,
    EPOLLET = 0x8000_0000,
}

constants! {
    /// Operations of epoll_ctl(2).
    EPOLL_OPERATIONS: u32;
    EPOLL_CTL_ADD = 1,
    EPOLL_CTL_DEL = 2,
    EPOLL_CTL_MOD = 3,
}

constants! {
    /// Flags of epoll_create1(2).
    EPOLL_FLAGS: u32;
    EPOLL_CLOEXEC = 0x8_0000,
}

constants! {
    /// Flags of eventfd2(2).
    EVENTFD_FLAGS: u32;
    EFD_SEMAPHORE = 1,
    EFD_NONBLOCK = 0x800,
    EFD_CLOEXEC = 0x8_0000,
}

constants! {
    /// Flags of timerfd_create(2).
    TIMERFD_FLAGS: u32;
    TFD_NONBLOCK = 0x800,
    TFD_CLOEXEC = 0x8_0000,
}

constants! {
    /// Flags of timerfd_settime(2).
    TIMERFD_TIMER_FLAGS: u32;
    TFD_TIMER_ABSTIME = 1,
    TFD_TIMER_CANCEL_ON_SET = 2,
}

constants! {
    /// Flags of inotify_init1(2).
    INOTIFY_FLAGS: u32;
    IN_NONBLOCK = 0x800,
    IN_CLOEXEC = 0x8_0000,
}

constants! {
    /// Flags of signalfd4(2).
    SIGNALFD_FLAGS: u32;
    SFD_NONBLOCK = 0x800,
    SFD_CLOEXEC = 0x8_0000,
}
