//! Troubles of real disks, each of which can be begun and ended: errors of the block device, and slowness.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::run;

const BYTES: &str = "160M";
const CONTROL: &str = "/sys/class/zram-control";
const BLKIO: &str = "/sys/fs/cgroup/blkio";

/// A disk in compressed memory with ext4 (without a journal of its own) on it. Writes fail with EIO while its limit is
/// reached.
#[derive(Debug)]
pub(crate) struct ZramDisk {
    id: String,
    mount: PathBuf,
}

impl ZramDisk {
    /// Whether this machine has such disks.
    pub(crate) fn is_available() -> bool {
        super::may_mount() && Path::new(CONTROL).join("hot_add").exists()
    }

    pub(crate) fn new(dir: &Path) -> anyhow::Result<Self> {
        let id = fs::read_to_string(Path::new(CONTROL).join("hot_add"))?.trim().to_owned();
        let disk = Self { id, mount: dir.join("zram") };
        fs::create_dir(&disk.mount)?;
        disk.set("disksize", BYTES)?;
        run(Command::new("mkfs.ext4").args(["-q", "-O", "^has_journal"]).arg(disk.device()))?;
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "errors=continue"]).arg(self.device()).arg(&self.mount))
    }

    /// Checks and repairs the file system, and mounts it anew. Nobody may have a file open.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.mount))?;
        let status = Command::new("fsck.ext4").args(["-f", "-y"]).arg(self.device()).output()?.status;
        // 1: repaired.
        ensure!(matches!(status.code(), Some(0 | 1)), "fsck.ext4 ended with {status}");
        self.mount()
    }

    fn device(&self) -> PathBuf {
        PathBuf::from(format!("/dev/zram{}", self.id))
    }

    fn set(&self, what: &str, value: &str) -> anyhow::Result<()> {
        let path = format!("/sys/block/zram{}/{what}", self.id);
        fs::write(&path, value).with_context(|| path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// From here on every write fails.
    pub(crate) fn break_down(&self) -> anyhow::Result<()> {
        let stat = fs::read_to_string(format!("/sys/block/zram{}/mm_stat", self.id))?;
        let used: u64 = stat.split_whitespace().nth(2).context("no figure")?.parse()?;
        self.set("mem_limit", &used.saturating_sub(1 << 16).max(4096).to_string())
    }

    pub(crate) fn mend(&self) -> anyhow::Result<()> {
        self.set("mem_limit", "0")
    }
}

impl Drop for ZramDisk {
    fn drop(&mut self) {
        let _mended = self.mend();
        let unmount = || Command::new("umount").arg(&self.mount).output().is_ok_and(|output| output.status.success());
        if soon(unmount) {
            let _gone = fs::write(Path::new(CONTROL).join("hot_remove"), &self.id);
        }
    }
}

/// A brake on what one process writes to one block device (control group blkio, version 1).
#[derive(Debug)]
pub(crate) struct Brake {
    group: PathBuf,
    device: String,
}

impl Brake {
    /// Whether this machine has such brakes.
    pub(crate) fn is_available() -> bool {
        super::may_mount() && Path::new(BLKIO).join("blkio.throttle.write_iops_device").exists()
    }

    /// A brake for the device under `path`, off so far.
    pub(crate) fn new(path: &Path) -> anyhow::Result<Self> {
        let output = Command::new("mountpoint").arg("-d").arg(path).output()?;
        let device = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(output.status.success() && device.contains(':'), "{} is no mount", path.display());
        let group = Path::new(BLKIO).join(format!("hostel-crash-{}", std::process::id()));
        fs::create_dir(&group)?;
        Ok(Self { group, device })
    }

    /// Puts a process under it.
    pub(crate) fn hold(&self, process: u32) -> anyhow::Result<()> {
        Ok(fs::write(self.group.join("cgroup.procs"), process.to_string())?)
    }

    /// So many writes a second from here on; 0 for as many as it likes.
    pub(crate) fn pull(&self, writes: u32) -> anyhow::Result<()> {
        let rule = format!("{} {writes}", self.device);
        Ok(fs::write(self.group.join("blkio.throttle.write_iops_device"), rule)?)
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        let _gone = soon(|| fs::remove_dir(&self.group).is_ok());
    }
}

/// Tries again for a while: a server that was killed a moment ago may still have its files open.
fn soon(mut done: impl FnMut() -> bool) -> bool {
    (0..100).any(|_| {
        let done = done();
        if !done {
            std::thread::sleep(Duration::from_millis(20));
        }
        done
    })
}
