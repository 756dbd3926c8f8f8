//! The value of a secret, for as long as it is needed and no longer.

use zeroize::Zeroizing;

/// The value of a secret. It can be neither printed nor serialised nor cloned, and its memory is overwritten when it is
/// dropped.
///
/// ```compile_fail
/// fn print(secret: &hostel_vault::Revealed) {
///     println!("{secret:?}");
/// }
/// ```
#[expect(missing_debug_implementations, reason = "so that it cannot be printed by mistake")]
pub struct Revealed(Zeroizing<String>);

impl Revealed {
    pub(crate) fn new(value: Zeroizing<String>) -> Self {
        Self(value)
    }

    /// The value itself. Hand it to what needs it, and keep no copy.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its bytes.
    pub fn expose_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
