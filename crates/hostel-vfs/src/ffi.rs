//! What SQLite calls. A log and a database are opened here; all other files are opened by the file system that is SQLite's
//! default, whose structure is copied.

pub(crate) mod system;

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::NAME;
use crate::base::{Access, Base};
use crate::log::Log;

/// SQLite's default file system.
struct Underlying(*mut sqlite3_vfs);

// SAFETY: SQLite's own structure: never freed, constant once registered, and meant to be used by all threads.
unsafe impl Send for Underlying {}
// SAFETY: as above.
unsafe impl Sync for Underlying {}

static UNDERLYING: OnceLock<Option<Underlying>> = OnceLock::new();

/// An open file, as SQLite sees it: it allocates `szOsFile` bytes for it, and looks at the first field only.
#[repr(C)]
struct OpenFile {
    base: sqlite3_file,
    /// From `Box::into_raw`, given back in [`close`].
    what: *const What,
}

/// What is open.
enum What {
    Log(Arc<Log>),
    Base(Arc<Base>),
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
    ours.szOsFile = ours.szOsFile.max(size_of::<OpenFile>() as c_int);
    ours.xOpen = Some(open);
    ours.xDelete = Some(delete);
    ours.xAccess = Some(access);
    ours.xFullPathname = Some(full_pathname);
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
    match unsafe { what(file) } {
        What::Log(log) => Some(Arc::clone(log)),
        What::Base(_) => None,
    }
}

/// # Safety
/// To be called by SQLite alone, with what it gives to `xOpen`.
unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    if flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_DB) == 0 || name.is_null() {
        // SAFETY: SQLite's arguments, handed on as they are.
        return unsafe { open_underlying(name, file, flags, out_flags) };
    }
    // SAFETY: SQLite gives a string that ends in 0.
    let name = unsafe { CStr::from_ptr(name) };
    let (what, flags) = match open_ours(name, flags) {
        Ok(opened) => opened,
        Err(code) => {
            // SAFETY: SQLite's own room for the file; without methods it is one that was not opened.
            unsafe { (*file).pMethods = ptr::null() };
            return code;
        }
    };
    let opened = OpenFile { base: sqlite3_file { pMethods: &METHODS }, what: Box::into_raw(Box::new(what)) };
    // SAFETY: SQLite allocated `szOsFile` bytes, aligned for any such structure, which is at least the size of this one.
    unsafe { ptr::write(file.cast::<OpenFile>(), opened) };
    if !out_flags.is_null() {
        // SAFETY: not null, so it is a place for the flags.
        unsafe { *out_flags = flags };
    }
    ffi::SQLITE_OK
}

/// The file, and the flags it was opened with.
fn open_ours(name: &CStr, flags: c_int) -> Result<(What, c_int), c_int> {
    if flags & ffi::SQLITE_OPEN_WAL != 0 {
        return Ok((What::Log(Log::open(name)), flags));
    }
    let has = |flag| flags & flag != 0;
    let access = Access {
        write: has(ffi::SQLITE_OPEN_READWRITE),
        create: has(ffi::SQLITE_OPEN_CREATE),
        exclusive: has(ffi::SQLITE_OPEN_EXCLUSIVE),
    };
    let base = Base::open(OsStr::from_bytes(name.to_bytes()).into(), access).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => ffi::SQLITE_BUSY,
        _ => ffi::SQLITE_CANTOPEN,
    })?;
    let kind = if base.writes() { ffi::SQLITE_OPEN_READWRITE } else { ffi::SQLITE_OPEN_READONLY };
    let flags = flags & !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_READONLY) | kind;
    Ok((What::Base(base), flags))
}

/// # Safety
/// As [`open`].
unsafe fn open_underlying(name: *const c_char, file: *mut sqlite3_file, flags: c_int, out_flags: *mut c_int) -> c_int {
    let Some(underlying) = underlying() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: a registered file system is a valid structure.
    let Some(open) = (unsafe { (*underlying).xOpen }) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: SQLite's own function with SQLite's own arguments; the room for the file is at least what it asks for.
    unsafe { open(underlying, name, file, flags, out_flags) }
}

/// # Safety
/// `file` is one of [`open`]'s, and open.
unsafe fn what<'a>(file: *mut sqlite3_file) -> &'a What {
    // SAFETY: said above.
    let what = unsafe { (*file.cast::<OpenFile>()).what };
    // SAFETY: it lives until the file is closed, which SQLite does not do during another call.
    unsafe { &*what }
}

/// The code of an error, where SQLite has none for it that says more.
fn code_of(error: &io::Error, otherwise: c_int) -> c_int {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ffi::SQLITE_FULL,
        io::ErrorKind::OutOfMemory => ffi::SQLITE_IOERR_NOMEM,
        io::ErrorKind::WouldBlock => ffi::SQLITE_BUSY,
        _ => otherwise,
    }
}

/// # Safety
/// As [`open`], for `xClose`.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let file = file.cast::<OpenFile>();
    // SAFETY: SQLite calls this for files of `open`'s.
    let what = unsafe { (*file).what };
    // SAFETY: SQLite closes a file once; what `open` made is given back.
    drop(unsafe { Box::from_raw(what.cast_mut()) });
    ffi::SQLITE_OK
}

/// # Safety
/// As [`open`], for `xRead`.
unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, amount: c_int, at: i64) -> c_int {
    let (Ok(amount), Ok(at)) = (usize::try_from(amount), u64::try_from(at)) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: SQLite gives room for `amount` bytes, which nobody else uses meanwhile.
    let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), amount) };
    // SAFETY: SQLite calls this for files of `open`'s.
    let read = match unsafe { what(file) } {
        What::Log(log) => log.read_into(at, into),
        What::Base(base) => base.read_into(at, into),
    };
    match read {
        Ok(there) if there == amount => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(error) => code_of(&error, ffi::SQLITE_IOERR_READ),
    }
}

/// # Safety
/// As [`open`], for `xWrite`.
unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: i64) -> c_int {
    let (Ok(amount), Ok(at)) = (usize::try_from(amount), u64::try_from(at)) else { return ffi::SQLITE_IOERR_WRITE };
    // SAFETY: SQLite gives `amount` bytes, which nobody changes meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), amount) };
    // SAFETY: SQLite calls this for files of `open`'s.
    let written = match unsafe { what(file) } {
        What::Log(log) => log.write(at, bytes),
        What::Base(base) => base.write(at, bytes),
    };
    written.map_or_else(|error| code_of(&error, ffi::SQLITE_IOERR_WRITE), |()| ffi::SQLITE_OK)
}

/// # Safety
/// As [`open`], for `xTruncate`.
unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    let Ok(length) = u64::try_from(length) else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: SQLite calls this for files of `open`'s.
    let cut = match unsafe { what(file) } {
        What::Log(log) => log.truncate(length),
        What::Base(base) => base.truncate(length),
    };
    cut.map_or_else(|error| code_of(&error, ffi::SQLITE_IOERR_TRUNCATE), |()| ffi::SQLITE_OK)
}

/// A log does not outlive the process, so it is not synced.
///
/// # Safety
/// As [`open`], for `xSync`.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite calls this for files of `open`'s.
    let synced = match unsafe { what(file) } {
        What::Log(_) => Ok(()),
        What::Base(base) => base.sync(),
    };
    synced.map_or_else(|error| code_of(&error, ffi::SQLITE_IOERR_FSYNC), |()| ffi::SQLITE_OK)
}

/// # Safety
/// As [`open`], for `xFileSize`.
unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite calls this for files of `open`'s.
    let length = match unsafe { what(file) } {
        What::Log(log) => Ok(log.length()),
        What::Base(base) => base.length(),
    };
    let Ok(length) = length else { return ffi::SQLITE_IOERR_FSTAT };
    // SAFETY: a place for the size.
    unsafe { *size = i64::try_from(length).unwrap_or(i64::MAX) };
    ffi::SQLITE_OK
}

/// Nobody else can open a log; a database is locked as long as it has a descriptor.
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
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

/// Whether `name` is a log's, which has no file.
///
/// # Safety
/// `name` is a string that ends in 0, or null.
unsafe fn is_log(name: *const c_char) -> bool {
    // SAFETY: said above.
    !name.is_null() && unsafe { CStr::from_ptr(name) }.to_bytes().ends_with(b"-wal")
}

/// # Safety
/// As [`open`], for `xDelete`.
unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: SQLite's argument.
    if unsafe { is_log(name) } {
        return ffi::SQLITE_OK;
    }
    let Some(underlying) = underlying() else { return ffi::SQLITE_IOERR_DELETE };
    // SAFETY: a registered file system is a valid structure.
    let Some(delete) = (unsafe { (*underlying).xDelete }) else { return ffi::SQLITE_IOERR_DELETE };
    // SAFETY: SQLite's own function with SQLite's own arguments.
    unsafe { delete(underlying, name, sync_dir) }
}

/// # Safety
/// As [`open`], for `xAccess`.
unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite's argument.
    if unsafe { is_log(name) } {
        // SAFETY: a place for the answer.
        unsafe { *out = 0 };
        return ffi::SQLITE_OK;
    }
    let Some(underlying) = underlying() else { return ffi::SQLITE_IOERR_ACCESS };
    // SAFETY: a registered file system is a valid structure.
    let Some(access) = (unsafe { (*underlying).xAccess }) else { return ffi::SQLITE_IOERR_ACCESS };
    // SAFETY: SQLite's own function with SQLite's own arguments.
    unsafe { access(underlying, name, flags, out) }
}

/// A path from the root stays as it is: the store gives no other, and has followed its links.
///
/// # Safety
/// As [`open`], for `xFullPathname`.
unsafe extern "C" fn full_pathname(_: *mut sqlite3_vfs, name: *const c_char, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite gives a string that ends in 0.
    let path = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if path.starts_with(b"/") && usize::try_from(room).is_ok_and(|room| path.len() <= room) {
        // SAFETY: SQLite gives `room` bytes, which are enough, and no part of `name`.
        unsafe { ptr::copy_nonoverlapping(path.as_ptr().cast::<c_char>(), out, path.len()) };
        return ffi::SQLITE_OK;
    }
    let Some(underlying) = underlying() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: a registered file system is a valid structure.
    let Some(full_pathname) = (unsafe { (*underlying).xFullPathname }) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: SQLite's own function with SQLite's own arguments.
    unsafe { full_pathname(underlying, name, room, out) }
}

fn underlying() -> Option<*mut sqlite3_vfs> {
    UNDERLYING.get()?.as_ref().map(|underlying| underlying.0)
}
