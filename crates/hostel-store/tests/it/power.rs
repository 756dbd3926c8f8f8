//! The power goes, for real: a file system in a file is shut down without writing anything more (recipe A2).
//!
//! What is said after the call that shuts it down has begun does not count: a machine without power says nothing, while
//! a file system that is just being shut down may still answer, and not always with the truth.
//!
//! Needs the right to mount; elsewhere it says that it was skipped. `HOSTEL_POWER_CUTS=1000` for more rounds.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::kill::{check, run_until};

const SHUTDOWN: &str = "import fcntl,os,struct,sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A file system whose power can be cut.
struct Loop {
    _dir: tempfile::TempDir,
    image: PathBuf,
    mount: PathBuf,
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Loop {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (image, mount) = (dir.path().join("image"), dir.path().join("mount"));
        std::fs::create_dir(&mount).unwrap();
        std::fs::File::create(&image).unwrap().set_len(96 << 20).unwrap();
        let made = succeeds(Command::new("mkfs.ext4").arg("-q").arg(&image));
        let this = Self { _dir: dir, image, mount };
        (made && this.mount()).then_some(this)
    }

    fn mount(&self) -> bool {
        succeeds(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mount))
    }

    fn cut_power(&self, child: &mut Child) {
        assert!(succeeds(Command::new("python3").args(["-c", SHUTDOWN]).arg(&self.mount)));
        child.kill().unwrap();
    }

    fn remount(&self) {
        assert!(succeeds(Command::new("umount").arg(&self.mount)));
        // A process with a view of mounts of its own, a sandbox for instance, keeps it until that ends; until then a mount would
        // bring back the file system that was shut down.
        let until = Instant::now() + Duration::from_secs(120);
        while self.is_attached() {
            assert!(Instant::now() < until, "somebody else has {} mounted", self.mount.display());
        }
        assert!(self.mount());
    }

    /// Whether a loop device still has the image.
    fn is_attached(&self) -> bool {
        let listed = Command::new("losetup").arg("-j").arg(&self.image).output().unwrap();
        assert!(listed.status.success());
        !listed.stdout.is_empty()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.mount).output();
    }
}

fn data(disk: &Loop) -> PathBuf {
    disk.mount.join("data")
}

#[test]
fn a_power_cut_at_random_moments_loses_no_acknowledged_turn_and_invents_none() {
    let Some(disk) = Loop::new() else {
        println!("skipped: this user may not mount a file system");
        return;
    };
    let rounds: u64 = std::env::var("HOSTEL_POWER_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let mut random = u64::from(std::process::id()) | 1;
    let mut acknowledged = 0;
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let until = 1 + (random >> 33) % 90;
        let said = run_until(&data(&disk), until, |child| disk.cut_power(child));
        disk.remount();
        acknowledged = said.before;
        let found = check(&data(&disk), acknowledged, said.all + 1, round);
        println!("round {round}: {} said before, {} in all, {found} found", said.before, said.all);
    }
    assert!(acknowledged > 10);
}

/// Rule 8: the file of a new agent was never synced, nor was its name.
#[test]
fn rule_8_a_power_cut_right_after_the_first_acknowledged_turn_of_a_new_agent_keeps_it() {
    let Some(disk) = Loop::new() else {
        println!("skipped: this user may not mount a file system");
        return;
    };
    let said = run_until(&data(&disk), 1, |child| disk.cut_power(child));
    disk.remount();
    check(&data(&disk), said.before, said.all + 1, 0);
    assert!(holds_a_database(&data(&disk)));
}

fn holds_a_database(dir: &Path) -> bool {
    super::files(dir)
        .iter()
        .any(|file| file.extension().is_some_and(|end| end == "db") && file.starts_with(dir.join("agents")))
}
