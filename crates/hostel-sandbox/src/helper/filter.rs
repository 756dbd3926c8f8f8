//! The filter of system calls: what no build or test needs, and what escapes have been made of.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::failed;

/// Refused, whatever the arguments.
const REFUSED: &[c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_fanotify_init,
    // The kernel and the machine.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_lookup_dcookie,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];

/// As if the kernel did not have them: programs then do without. `clone3` hides its flags from a filter; memory without a file is
/// counted for no process; io_uring goes around filters.
const UNKNOWN: &[c_long] = &[
    libc::SYS_clone3,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// The other numbers of x86-64, for the form with short pointers: there they would pass.
#[cfg(target_arch = "x86_64")]
const SHORT_POINTERS: Option<c_long> = Some(0x4000_0000);
#[cfg(not(target_arch = "x86_64"))]
const SHORT_POINTERS: Option<c_long> = None;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts this process for good.
pub(super) fn restrict() -> Result<(), String> {
    let eperm = REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new()));
    apply(eperm.chain(by_argument()?).collect(), libc::EPERM)?;
    let mut unknown: Rules = UNKNOWN.iter().map(|call| (*call, Vec::new())).collect();
    if let Some(bit) = SHORT_POINTERS {
        // All of that form: nothing that is built today uses it.
        unknown.extend((0..600).map(|call| (bit | call, Vec::new())));
    }
    apply(unknown, libc::ENOSYS)
}

fn apply(rules: Rules, errno: i32) -> Result<(), String> {
    let arch: TargetArch =
        std::env::consts::ARCH.try_into().map_err(|error| format!("no filter for this processor: {error:?}"))?;
    let action = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).map_err(failed("the filter"))?;
    let program: BpfProgram = filter.try_into().map_err(failed("the filter"))?;
    apply_filter(&program).map_err(failed("the filter of system calls is not taken"))
}

/// Refused with some arguments only.
fn by_argument() -> Result<Rules, String> {
    let is = |index, op, value: u64| {
        SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, value).map_err(failed("the filter"))
    };
    let rule = |conditions| SeccompRule::new(conditions).map_err(failed("the filter"));
    let bits = |flags: u64| rule(vec![is(0, SeccompCmpOp::MaskedEq(flags), flags)?]);
    let spaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let spaces = || spaces.iter().map(|flag| bits(u64::from(flag.unsigned_abs()))).collect::<Result<Vec<_>, _>>();
    // All kinds of sockets but these: some of the others lead past the network namespace.
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let other = families
        .iter()
        .map(|family| is(0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs())))
        .collect::<Result<Vec<_>, _>>()?;
    // And all protocols but ICMP, TCP and UDP: Landlock bounds the ports of TCP alone, and others (multipath TCP) reach the same servers.
    let protocols = [0, libc::IPPROTO_ICMP, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMPV6];
    let unusual = protocols
        .iter()
        .map(|protocol| is(2, SeccompCmpOp::Ne, u64::from(protocol.unsigned_abs())))
        .collect::<Result<Vec<_>, _>>()?;
    // Sending that connects, too: Landlock looks at connecting only.
    let fast = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
    let fast_at = |index| Ok::<_, String>(vec![rule(vec![is(index, SeccompCmpOp::MaskedEq(fast), fast)?])?]);
    // Typing into a terminal on behalf of its user.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX]
        .iter()
        .map(|request| rule(vec![is(1, SeccompCmpOp::Eq, *request & 0xffff_ffff)?]));
    let typing = typing.collect::<Result<Vec<_>, _>>()?;
    Ok(Rules::from([
        (libc::SYS_clone, spaces()?),
        (libc::SYS_unshare, spaces()?),
        (libc::SYS_socket, vec![rule(other)?, rule(unusual)?]),
        (libc::SYS_sendto, fast_at(3)?),
        (libc::SYS_sendmsg, fast_at(2)?),
        (libc::SYS_sendmmsg, fast_at(3)?),
        (libc::SYS_ioctl, typing),
    ]))
}
