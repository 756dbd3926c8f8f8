//! A file system of our own whose power can be cut: ext4 in a file, mounted, and shut down by ioctl without writing anything
//! more. `disk/trouble.rs` has disks with other troubles.

pub(crate) mod trouble;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// Small enough to be filled up on purpose.
pub(crate) const SMALL: u64 = 160 << 20;
/// Room for the history of thousands of cuts. The file is sparse: only what was written once takes room.
pub(crate) const LARGE: u64 = 4 << 30;
/// How long somebody else may have it mounted after it was unmounted here.
const RELEASED: Duration = Duration::from_secs(120);
/// FS_IOC_SHUTDOWN with FS_SHUTDOWN_FLAGS_NOLOGFLUSH, as soon as a line comes in. The call needs `unsafe` in Rust and a
/// program that is running already is as fast, so the one line is Perl, which every Debian has.
const SHUTDOWN: &str = r#"open(my $file, "<", $ARGV[0]) or die "open: $!"; $| = 1; my $flags = pack("I", 2); print "ready\n"; <STDIN>;
ioctl($file, 0x8004587d, $flags) or die "ioctl: $!""#;

/// A mounted file system in a file; gone when dropped.
#[derive(Debug)]
pub(crate) struct LoopDisk {
    image: PathBuf,
    mount: PathBuf,
}

/// A process that only waits for the word.
#[derive(Debug)]
pub(crate) struct Switch(Child);

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

impl LoopDisk {
    /// Makes and mounts one of so many bytes below `dir`.
    pub(crate) fn new(dir: &Path, bytes: u64) -> anyhow::Result<Self> {
        let disk = Self { image: dir.join("image"), mount: dir.join("mount") };
        std::fs::create_dir(&disk.mount)?;
        std::fs::File::create(&disk.image)?.set_len(bytes)?;
        run(Command::new("mkfs.ext4").arg("-q").arg(&disk.image))?;
        disk.mount()?;
        std::fs::write(disk.mount.join("switch"), "")?;
        run(Command::new("sync").arg("-f").arg(&disk.mount))?;
        Ok(disk)
    }

    fn mount(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(&self.image).arg(&self.mount))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// Has the file system find an error, upon which it takes no more writes.
    pub(crate) fn fail(&self) -> anyhow::Result<()> {
        let output = Command::new("findmnt").args(["-no", "SOURCE"]).arg(&self.mount).output()?;
        let device = String::from_utf8_lossy(&output.stdout).trim().replace("/dev/", "");
        let path = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        std::fs::write(&path, "a trial").with_context(|| path)
    }

    /// Gets ready to cut the power.
    pub(crate) fn switch(&self) -> anyhow::Result<Switch> {
        let mut child = Command::new("perl")
            .args(["-e", SHUTDOWN])
            .arg(self.mount.join("switch"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run perl")?;
        let mut ready = String::new();
        let out = child.stdout.take().context("no output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut ready)?;
        ensure!(ready == "ready\n", "the switch is not ready: {ready}");
        Ok(Switch(child))
    }

    /// The power is back. Nobody may have a file open.
    pub(crate) fn power_on(&self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.mount))?;
        // A process with a view of mounts of its own, a sandbox for instance, keeps it until that ends; until then a mount would
        // bring back the file system that was shut down.
        let until = Instant::now() + RELEASED;
        while self.is_attached()? {
            ensure!(Instant::now() < until, "somebody else has {} mounted", self.mount.display());
        }
        self.mount()
    }

    /// Whether a loop device still has the image.
    fn is_attached(&self) -> anyhow::Result<bool> {
        let listed = Command::new("losetup").arg("-j").arg(&self.image).output().context("cannot run losetup")?;
        Ok(!listed.stdout.is_empty())
    }
}

impl Switch {
    /// Cuts the power; it is gone when this returns.
    pub(crate) fn cut(mut self) -> anyhow::Result<()> {
        use std::io::Write as _;
        self.0.stdin.take().context("no input")?.write_all(b"\n")?;
        let status = self.0.wait()?;
        if !status.success() {
            bail!("the file system could not be shut down: {status}");
        }
        Ok(())
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.mount).output();
    }
}

/// Whether this user may mount file systems.
pub(crate) fn may_mount() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n") && Path::new("/dev/loop-control").exists()
}
