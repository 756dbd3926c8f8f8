//! The authenticator as a server asks it: every kind of token, good and bad.

#[cfg(test)]
mod it {
    mod issuers;
    mod keys;
    mod support;
}
