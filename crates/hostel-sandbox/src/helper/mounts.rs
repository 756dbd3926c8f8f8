//! The second stage's first work: the file system that the command sees.
//!
//! The root is empty memory. Into it come, by name, the few things that a command needs: nothing of the machine is there because
//! somebody forgot to leave it out.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::outer::USER;
use super::remount::{Access, remount};
use super::{failed, git};
use crate::order::{HOME, Order};
use crate::{Network, Policy};

/// Directories with programs.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"];
/// What of `/etc` programs need. Names with a star are beginnings.
const ETC: &[&str] = &[
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ssl/certs",
    "ssl/openssl.cnf",
    "ca-certificates",
    "pki/tls/certs",
    "pki/ca-trust",
    "localtime",
    "timezone",
    "os-release",
    "debian_version",
    "nsswitch.conf",
    "host.conf",
    "gai.conf",
    "protocols",
    "services",
    "mime.types",
    "magic",
    "profile",
    "bash.bashrc",
    "inputrc",
    "terminfo",
    "locale.alias",
    "login.defs",
    "fonts",
    "java*",
    "python*",
    "perl*",
];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// Of `/proc`, what tells of the machine or changes it.
const PROC_COVERED: &[&str] = &["kcore", "keys", "key-users", "kmsg", "timer_list", "sched_debug", "latency_stats"];
const PROC_READ: &[&str] = &["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr"];

/// Builds the file system and changes into it.
pub(super) fn build(order: &Order) -> Result<(), String> {
    let policy = &order.policy;
    begin()?;
    system(policy)?;
    for dir in ["/newroot/tmp", "/newroot/var/tmp"] {
        memory(dir, policy.limits.tmp_bytes, "1777")?;
    }
    for path in &policy.read {
        bind(path, Access::Read)?;
    }
    devices(policy.limits.tmp_bytes)?;
    let covers = covers(policy)?;
    fs::create_dir_all(new(Path::new(HOME))).map_err(failed(HOME))?;
    for path in std::iter::once(&policy.workspace).chain(&policy.write).chain(&policy.home) {
        bind(path, Access::Write)?;
    }
    for path in std::iter::once(&policy.workspace).chain(&policy.write) {
        git::protect(&new(path))?;
    }
    proc(policy)?;
    for cover in covers {
        remount(&cover, Access::Read).or_else(|why| if cover.exists() { Err(why) } else { Ok(()) })?;
    }
    finish()
}

/// A path of the machine, while the sandbox is being built.
fn old(path: &Path) -> PathBuf {
    Path::new("/oldroot").join(path.strip_prefix("/").unwrap_or(path))
}

/// A path of the sandbox, while it is being built.
fn new(path: &Path) -> PathBuf {
    Path::new("/newroot").join(path.strip_prefix("/").unwrap_or(path))
}

/// Memory over `/tmp` becomes the root, with the machine's root below it: so `/tmp` itself can be seen again, too.
fn begin() -> Result<(), String> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("mounts cannot be made private"))?;
    memory("/tmp", 1 << 20, "0755")?;
    for dir in ["/tmp/oldroot", "/tmp/newroot"] {
        fs::create_dir(dir).map_err(failed(dir))?;
    }
    pivot_root("/tmp", "/tmp/oldroot").map_err(failed("the root cannot be changed"))?;
    chdir("/").map_err(failed("/"))?;
    memory("/newroot", 4 << 20, "0755")
}

/// Leaves the machine's root behind.
fn finish() -> Result<(), String> {
    chdir("/newroot").map_err(failed("the new root"))?;
    remount_root()?;
    pivot_root(".", ".").map_err(failed("the root cannot be changed"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("the old root cannot be left"))?;
    chdir("/").map_err(failed("/"))
}

fn remount_root() -> Result<(), String> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount_remount("/newroot", flags, "").map_err(failed("the root cannot be made read-only"))
}

fn memory(place: &str, bytes: u64, mode: &str) -> Result<(), String> {
    fs::create_dir_all(place).map_err(failed(place))?;
    let entries = bytes / 4096 + 1024;
    let options =
        std::ffi::CString::new(format!("size={bytes},nr_inodes={entries},mode={mode}")).map_err(failed(place))?;
    mount("tmpfs", place, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str()).map_err(failed(place))
}

/// Shows a file or directory of the machine at its own path.
fn bind(path: &Path, access: Access) -> Result<(), String> {
    let (from, to) = (old(path), new(path));
    let shown = path.display();
    if from.is_dir() {
        fs::create_dir_all(&to).map_err(failed(shown))?;
    } else if !to.exists() {
        fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(failed(shown))?;
        fs::File::create_new(&to).map_err(failed(path.display()))?;
    }
    mount_bind_recursive(&from, &to).map_err(failed(format!("{} cannot be shown", path.display())))?;
    remount(&to, access)
}

/// Shows something that may be a link, or not be there.
fn show(path: &Path) -> Result<(), String> {
    let Ok(kind) = fs::symlink_metadata(old(path)).map(|meta| meta.file_type()) else { return Ok(()) };
    if !kind.is_symlink() {
        return bind(path, Access::Read);
    }
    let target = fs::read_link(old(path)).map_err(failed(path.display()))?;
    let to = new(path);
    fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(failed(path.display()))?;
    symlink(target, to).map_err(failed(path.display()))
}

fn system(policy: &Policy) -> Result<(), String> {
    SYSTEM.iter().try_for_each(|path| show(Path::new(path)))?;
    let names = fs::read_dir("/oldroot/etc").map_err(failed("/etc"))?;
    let names: Vec<String> = names.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    for wanted in ETC {
        match wanted.strip_suffix('*') {
            Some(start) => {
                let fitting = names.iter().filter(|name| name.starts_with(start));
                fitting.map(|name| Path::new("/etc").join(name)).try_for_each(|path| show(&path))?;
            }
            None => show(&Path::new("/etc").join(wanted))?,
        }
    }
    let write = |name: &str, text: String| {
        fs::create_dir_all("/newroot/etc")
            .and_then(|()| fs::write(format!("/newroot/etc/{name}"), text))
            .map_err(failed(name))
    };
    let home = policy.home.as_deref().unwrap_or(Path::new(HOME)).display();
    write("passwd", format!("agent:x:{USER}:{USER}::{home}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"))?;
    write("group", format!("agent:x:{USER}:\nnogroup:x:65534:\n"))?;
    write("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n".to_owned())?;
    write("hostname", "sandbox\n".to_owned())?;
    if matches!(policy.network, Network::Ports(_)) {
        // Often a link to where nothing is shown; its text is all that is needed.
        write("resolv.conf", fs::read_to_string("/oldroot/etc/resolv.conf").unwrap_or_default())?;
    }
    fs::create_dir_all("/newroot/run").map_err(failed("/run"))
}

/// Puts emptiness over what is hidden but was shown with something else. What is in none of the shown directories is not there anyway.
fn covers(policy: &Policy) -> Result<Vec<PathBuf>, String> {
    let mut covers = Vec::new();
    for path in policy.hide.iter().map(|path| new(path)) {
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => {
                memory(&path.to_string_lossy(), 1 << 20, "0755")?;
                covers.push(path);
            }
            Ok(_) => mount_bind("/newroot/dev/null", &path).map_err(failed("what is hidden cannot be covered"))?,
            Err(_) => {}
        }
    }
    Ok(covers)
}

fn devices(shared: u64) -> Result<(), String> {
    memory("/newroot/dev", 64 << 10, "0755")?;
    for name in DEVICES {
        let place = format!("/newroot/dev/{name}");
        fs::write(&place, "").map_err(failed(&place))?;
        mount_bind(format!("/oldroot/dev/{name}"), &place).map_err(failed(format!("/dev/{name} cannot be shown")))?;
    }
    memory("/newroot/dev/shm", shared, "1777")?;
    fs::create_dir("/newroot/dev/pts").map_err(failed("/dev/pts"))?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", "/newroot/dev/pts", "devpts", flags, c"newinstance,ptmxmode=0666,mode=620")
        .map_err(failed("/dev/pts"))?;
    let links = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    links
        .iter()
        .try_for_each(|(name, target)| symlink(target, format!("/newroot/dev/{name}")))
        .map_err(failed("/dev"))?;
    fs::set_permissions("/newroot/dev", PermissionsExt::from_mode(0o555)).map_err(failed("/dev"))
}

fn proc(policy: &Policy) -> Result<(), String> {
    fs::create_dir_all("/newroot/proc").map_err(failed("/proc"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/newroot/proc", "proc", flags, None).map_err(failed(
        "an own /proc cannot be mounted (a container that covers parts of its /proc forbids it: run it with --security-opt systempaths=unconfined)",
    ))?;
    // Of an own namespace since Linux 6.14: a bound for those whom the kernel does not count, and nothing elsewhere.
    let most = (policy.limits.processes + 300).max(310);
    let _ = fs::write("/newroot/proc/sys/kernel/pid_max", most.to_string());
    for name in PROC_COVERED {
        let place = format!("/newroot/proc/{name}");
        if Path::new(&place).exists() {
            mount_bind("/newroot/dev/null", &place).map_err(failed(format!("/proc/{name} cannot be covered")))?;
        }
    }
    for name in PROC_READ {
        let place = format!("/newroot/proc/{name}");
        if Path::new(&place).exists() {
            mount_bind(&place, &place).map_err(failed(format!("/proc/{name}")))?;
            remount(Path::new(&place), Access::Read)?;
        }
    }
    Ok(())
}
