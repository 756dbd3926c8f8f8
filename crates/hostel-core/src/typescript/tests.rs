//! What the types of real Rust look like in TypeScript.
