//! The names by which operators find this process.

use queue_core::WorkerId;

/// Returns the identity of a service in this process: `host/pid/service`.
pub(super) fn default_worker(service: &str) -> WorkerId {
    WorkerId::of(&host(), std::process::id(), service)
}

/// Returns the name of the machine, as far as the standard library can find it: the variable `HOSTNAME` or `COMPUTERNAME`, or on
/// Linux the kernel's host name.
pub(super) fn host() -> String {
    let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let read = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = named.or_else(read).map(|host| host.trim().to_owned());
    host.filter(|host| !host.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

/// Returns the file name of the program.
pub(super) fn program() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_ref().and_then(|path| path.file_name());
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
