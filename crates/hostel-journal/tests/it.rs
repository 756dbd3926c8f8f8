//! The journal on a simulated disk that loses, tears and reorders what was not synced, and its rules one by one.

#[cfg(test)]
mod it {
    mod archive;
    mod archive_damage;
    mod disk;
    mod node;
    mod past;
    mod rules;
    mod simulation;
    mod writer;
}
