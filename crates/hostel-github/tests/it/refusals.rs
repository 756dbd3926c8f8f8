//! What GitHub refuses, in words; limits that are kept; nothing done twice.

use hostel_fake_github::{Fault, Scope};
use hostel_github::{GithubError, NewIssue, RepoName, Token};

use super::scene::Scene;

/// What is wrong, as a code, and what to do.
fn told(error: &GithubError) -> (&'static str, String) {
    (error.code().as_str(), error.fix().unwrap_or_default())
}

fn issue() -> NewIssue {
    NewIssue { title: "x".into(), ..NewIssue::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_a_code_and_a_fix() {
    let scene = Scene::new().await;
    let (engine, nobody) = (&scene.engine, &scene.nobody);
    let (code, fix) = told(&nobody.create_issue(engine, &issue()).await.unwrap_err());
    assert!(code == "github_token_missing" && fix.contains("setGithubToken"), "{code} {fix}");
    let wrong = nobody.with_token(Token::new("ghp_wrongwrongwrong"));
    let error = wrong.repository(engine).await.unwrap_err();
    assert!(told(&error).0 == "github_token_bad" && !format!("{error:?}").contains("wrongwrong"), "{error:?}");
    let error = scene.reader().create_issue(engine, &issue()).await.unwrap_err();
    let (code, fix) = told(&error);
    assert!(code == "github_forbidden" && fix.contains("contents=write"), "{code} {fix}");
    let error = nobody.file(engine, "src", None).await.unwrap_err();
    assert!(told(&error).0 == "github_is_directory" && error.to_string().contains("main.rs"), "{error}");
    let error = scene.ada.file(engine, "nothing", Some("main")).await.unwrap_err();
    assert!(error.to_string().contains("\"nothing\" at \"main\" in ada/engine"), "{error}");
    let nothing: RepoName = "ada/nothing".parse().unwrap();
    assert_eq!(told(&nobody.repository(&nothing).await.unwrap_err()).0, "github_not_found");
    assert_eq!(told(&nobody.file(engine, "../../user", None).await.unwrap_err()).0, "invalid_arguments");
    assert!(scene.fake.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_limit_is_waited_for_and_a_long_one_is_said() {
    let scene = Scene::new().await;
    scene.fake.fail_next(Fault::Secondary { retry_after: 0 });
    scene.fake.fail_next(Fault::RateLimit { reset: 1 });
    // Two refusals, then it is done; refused for a limit, nothing was done before.
    scene.ada.create_issue(&scene.engine, &issue()).await.unwrap();
    assert_eq!(scene.fake.count("POST"), 1);
    scene.fake.fail_next(Fault::Secondary { retry_after: 3600 });
    let error = scene.ada.repository(&scene.engine).await.unwrap_err();
    assert!(matches!(error, GithubError::RateLimited { secondary: true, .. }), "{error}");
    scene.fake.fail_next(Fault::RateLimit { reset: 4_000_000_000 });
    let error = scene.nobody.repository(&scene.engine).await.unwrap_err();
    assert!(error.to_string().contains("2096-10-02T07:06:40Z"), "{error}");
    assert!(told(&error).1.contains("5000 an hour"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_is_asked_again_and_what_writes_is_not() {
    let scene = Scene::new().await;
    scene.fake.fail_next(Fault::Status(502));
    scene.fake.fail_next(Fault::Lost);
    scene.nobody.repository(&scene.engine).await.unwrap();
    scene.fake.fail_next(Fault::Status(502));
    let error = scene.ada.create_issue(&scene.engine, &issue()).await.unwrap_err();
    assert!(error.may_be_done() && scene.fake.writes().is_empty(), "{error}");
    scene.fake.fail_next(Fault::Lost);
    let error = scene.ada.create_issue(&scene.engine, &issue()).await.unwrap_err();
    assert!(error.may_be_done(), "{error}");
    assert_eq!(scene.fake.count("POST"), 1, "it was done, and not done again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_taken_back_is_a_bad_one() {
    let scene = Scene::new().await;
    let token = scene.fake.token("bob", Scope::Write);
    let bob = scene.nobody.with_token(Token::new(token.clone()));
    assert_eq!(bob.user().await.unwrap().login, "bob");
    scene.fake.revoke(&token);
    assert_eq!(told(&bob.user().await.unwrap_err()).0, "github_token_bad");
}
