//! What SQLite calls. A log is opened here; all other files are opened by the file system that is SQLite's default, whose
//! structure is copied.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::NAME;
use crate::log::Log;

/// SQLite's default file system.
struct Underlying(*mut sqlite3_vfs);

// SAFETY: SQLite's own structure: never freed, constant once registered, and meant to be used by all threads.
unsafe impl Send for Underlying {}
// SAFETY: as above.
unsafe impl Sync for Underlying {}

static UNDERLYING: OnceLock<Option<Underlying>> = OnceLock::new();

/// An open log, as SQLite sees it: it allocates `szOsFile` bytes for it, and looks at the first field only.
#[repr(C)]
struct LogFile {
    base: sqlite3_file,
    /// From `Arc::into_raw`, given back in [`close`].
    log: *const Log,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// Makes the file system known to SQLite, once, and returns its name. `None` if SQLite refuses.
pub fn register() -> Option<&'static CStr> {
    UNDERLYING.get_or_init(register_now).as_ref().map(|_| NAME)
}

fn register_now() -> Option<Underlying> {
    // SAFETY: may be called at any time; a null name asks for the default.
    let underlying = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if underlying.is_null() {
        return None;
    }
    // SAFETY: a registered file system is a valid structure of plain values, here copied.
    let mut ours = unsafe { ptr::read(underlying) };
    ours.zName = NAME.as_ptr();
    ours.pNext = ptr::null_mut();
    ours.szOsFile = ours.szOsFile.max(size_of::<LogFile>() as c_int);
    ours.xOpen = Some(open);
    // It is never unregistered, so it must live for ever.
    let ours: *mut sqlite3_vfs = Box::leak(Box::new(ours));
    // SAFETY: a valid structure that stays where it is; 0: it does not become the default.
    let code = unsafe { ffi::sqlite3_vfs_register(ours, 0) };
    (code == ffi::SQLITE_OK).then_some(Underlying(underlying))
}

/// The log of a database that was opened with [`NAME`] and has been read or written since. `None` if its log is of another
/// kind, or was not opened yet.
pub fn log_of(conn: &Connection) -> Option<Arc<Log>> {
    let mut file: *mut sqlite3_file = ptr::null_mut();
    // SAFETY: the handle is used in this call only, while `conn` is borrowed.
    let handle = unsafe { conn.handle() };
    // SAFETY: this operation stores a pointer to a file where `pArg` points, which is a place for one.
    let code = unsafe {
        ffi::sqlite3_file_control(
            handle,
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_JOURNAL_POINTER,
            (&raw mut file).cast::<c_void>(),
        )
    };
    if code != ffi::SQLITE_OK || file.is_null() {
        return None;
    }
    // SAFETY: not null, so it is a file of this connection, which stays as it is while `conn` is borrowed: `Connection` is
    // not `Sync`, so nobody else uses it.
    let methods = unsafe { (*file).pMethods };
    if !ptr::eq(methods, &METHODS) {
        return None;
    }
    // SAFETY: with these methods it is one of `open`'s, and still open.
    let log = unsafe { (*file.cast::<LogFile>()).log };
    // SAFETY: `log` came from `Arc::into_raw` and is given back only when the file is closed; this adds a count of its own.
    unsafe { Arc::increment_strong_count(log) };
    // SAFETY: the count just added.
    Some(unsafe { Arc::from_raw(log) })
}

/// # Safety
/// To be called by SQLite alone, with what it gives to `xOpen`.
unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const std::ffi::c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    if flags & ffi::SQLITE_OPEN_WAL == 0 || name.is_null() {
        // SAFETY: SQLite's arguments, handed on as they are.
        return unsafe { open_underlying(name, file, flags, out_flags) };
    }
    // SAFETY: SQLite gives a string that ends in 0.
    let name = unsafe { CStr::from_ptr(name) };
    let opened = LogFile { base: sqlite3_file { pMethods: &METHODS }, log: Arc::into_raw(Log::open(name)) };
    // SAFETY: SQLite allocated `szOsFile` bytes, aligned for any such structure, which is at least the size of this one.
    unsafe { ptr::write(file.cast::<LogFile>(), opened) };
    if !out_flags.is_null() {
        // SAFETY: not null, so it is a place for the flags.
        unsafe { *out_flags = flags };
    }
    ffi::SQLITE_OK
}

/// # Safety
/// As [`open`].
unsafe fn open_underlying(
    name: *const std::ffi::c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(Some(Underlying(underlying))) = UNDERLYING.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: a registered file system is a valid structure.
    let Some(open) = (unsafe { (**underlying).xOpen }) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: SQLite's own function with SQLite's own arguments; the room for the file is at least what it asks for.
    unsafe { open(*underlying, name, file, flags, out_flags) }
}

/// # Safety
/// `file` is one of [`open`]'s, and open.
unsafe fn log<'a>(file: *mut sqlite3_file) -> &'a Log {
    // SAFETY: said above.
    let log = unsafe { (*file.cast::<LogFile>()).log };
    // SAFETY: the log lives until the file is closed, which SQLite does not do during another call.
    unsafe { &*log }
}

/// # Safety
/// As [`open`], for `xClose`.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let file = file.cast::<LogFile>();
    // SAFETY: SQLite calls this for files of `open`'s.
    let log = unsafe { (*file).log };
    // SAFETY: SQLite closes a file once; the count that `open` made is given back.
    drop(unsafe { Arc::from_raw(log) });
    ffi::SQLITE_OK
}

/// # Safety
/// As [`open`], for `xRead`.
unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, amount: c_int, at: i64) -> c_int {
    let (Ok(amount), Ok(at)) = (usize::try_from(amount), u64::try_from(at)) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: SQLite gives room for `amount` bytes, which nobody else uses meanwhile.
    let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), amount) };
    // SAFETY: SQLite calls this for files of `open`'s.
    match unsafe { log(file) }.read_into(at, into) {
        Ok(there) if there == amount => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

/// # Safety
/// As [`open`], for `xWrite`.
unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: i64) -> c_int {
    let (Ok(amount), Ok(at)) = (usize::try_from(amount), u64::try_from(at)) else { return ffi::SQLITE_IOERR_WRITE };
    // SAFETY: SQLite gives `amount` bytes, which nobody changes meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), amount) };
    // SAFETY: SQLite calls this for files of `open`'s.
    match unsafe { log(file) }.write(at, bytes) {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => ffi::SQLITE_FULL,
        Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => ffi::SQLITE_IOERR_NOMEM,
        Err(_) => ffi::SQLITE_IOERR_WRITE,
    }
}

/// # Safety
/// As [`open`], for `xTruncate`.
unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    let Ok(length) = u64::try_from(length) else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: SQLite calls this for files of `open`'s.
    match unsafe { log(file) }.truncate(length) {
        Ok(()) => ffi::SQLITE_OK,
        Err(_) => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

/// Nothing to sync: the log does not outlive the process.
extern "C" fn sync(_: *mut sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

/// # Safety
/// As [`open`], for `xFileSize`.
unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite calls this for files of `open`'s.
    let length = unsafe { log(file) }.length();
    // SAFETY: a place for the size.
    unsafe { *size = i64::try_from(length).unwrap_or(i64::MAX) };
    ffi::SQLITE_OK
}

/// Nobody else can open it, so there is nothing to lock.
extern "C" fn lock(_: *mut sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

/// # Safety
/// As [`open`], for `xCheckReservedLock`.
unsafe extern "C" fn check_reserved_lock(_: *mut sqlite3_file, locked: *mut c_int) -> c_int {
    // SAFETY: a place for the answer.
    unsafe { *locked = 0 };
    ffi::SQLITE_OK
}

extern "C" fn file_control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    4096
}

extern "C" fn characteristics(_: *mut sqlite3_file) -> c_int {
    0
}
