//! The operator's endpoints in a program of one's own.

#[cfg(test)]
mod it {
    mod operator;
}
