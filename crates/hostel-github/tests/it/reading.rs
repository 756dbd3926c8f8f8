//! Reading: repositories, files, pages of lists, searches.

use hostel_github::{GithubError, IssueFilter, NewIssue, StateFilter};

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_public_is_read_without_a_token() {
    let scene = Scene::new().await;
    let repository = scene.nobody.repository(&scene.engine).await.unwrap();
    assert_eq!((&*repository.full_name, &*repository.default_branch), ("ada/engine", "main"));
    assert_eq!(repository.clone_url, scene.nobody.clone_url(&scene.engine));
    let file = scene.nobody.file(&scene.engine, "src/main.rs", Some("main")).await.unwrap();
    assert_eq!(file.bytes, b"fn main() {}\n");
    let odd = scene.nobody.file(&scene.engine, "/src/a b+c.rs", None).await.unwrap();
    assert_eq!((&*odd.path, &*odd.bytes), ("src/a b+c.rs", &b"// odd\n"[..]));
    let names: Vec<String> =
        scene.nobody.directory(&scene.engine, "", None).await.unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(names, ["README.md", "src"]);
    let commits = scene.nobody.commits(&scene.engine, None, Some("README.md"), None, None).await.unwrap();
    assert_eq!((commits.items[0].message.as_str(), commits.next), ("Initial commit", None));
    assert_eq!(scene.nobody.branch(&scene.engine, "main").await.unwrap().as_deref(), Some(&*commits.items[0].sha));
    assert_eq!(scene.nobody.branch(&scene.engine, "mai").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_are_read_up_to_the_limit() {
    let scene = Scene::new().await;
    let (large, huge) = ("x".repeat(2 << 20), "y".repeat(4 << 20));
    scene.fake.repository("ada/large", &[("large.txt", &large), ("huge.txt", &huge)]).unwrap();
    let name = "ada/large".parse().unwrap();
    assert_eq!(scene.nobody.file(&name, "large.txt", None).await.unwrap().bytes.len(), 2 << 20);
    let refused = scene.nobody.file(&name, "huge.txt", None).await.unwrap_err();
    assert!(matches!(refused, GithubError::TooLarge { bytes: 4_194_304, .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_which_is_next() {
    let scene = Scene::new().await;
    for number in 1..=5 {
        let issue = NewIssue { title: format!("Issue {number}"), ..NewIssue::default() };
        scene.ada.create_issue(&scene.engine, &issue).await.unwrap();
    }
    let mut filter = IssueFilter { state: StateFilter::All, per_page: Some(2), ..IssueFilter::default() };
    let mut titles = Vec::new();
    loop {
        let page = scene.nobody.issues(&scene.engine, &filter).await.unwrap();
        titles.extend(page.items.into_iter().map(|issue| issue.title));
        if page.next.is_none() {
            break;
        }
        filter.page = page.next;
    }
    assert_eq!(titles, ["Issue 5", "Issue 4", "Issue 3", "Issue 2", "Issue 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_shows_what_stands_there() {
    let scene = Scene::new().await;
    let found = scene.ada.search_code("main repo:ada/engine", None, None).await.unwrap();
    assert_eq!((found.total, found.page.next), (1, None));
    assert_eq!(found.page.items[0].path, "src/main.rs");
    assert_eq!(found.page.items[0].fragments, ["fn main() {}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_not_there_without_a_token() {
    let scene = Scene::new().await;
    scene.fake.hide("ada/engine");
    let refused = scene.nobody.repository(&scene.engine).await.unwrap_err();
    assert!(refused.is_not_found() && refused.fix().unwrap().contains("setGithubToken"), "{refused}");
    assert!(scene.reader().repository(&scene.engine).await.unwrap().private);
    assert_eq!(scene.ada.user().await.unwrap().login, "ada");
}
