//! Every compile error that we write, with its words.

#[test]
fn code_that_does_not_fit_is_told_why() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
