//! Writing: each once, and what stands in the way.

use hostel_github::{
    GithubError, IssueChange, NewFile, NewIssue, NewPull, NewRepository, Put, Signature, State, StateFilter,
};

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_a_commit_of_several_files_and_a_pull_request() {
    let scene = Scene::new().await;
    let (ada, engine) = (&scene.ada, &scene.engine);
    let main = ada.branch(engine, "main").await.unwrap().unwrap();
    ada.create_branch(engine, "feature/one", &main).await.unwrap();
    let files = [
        NewFile { path: "a.txt".into(), text: Some("a\n".into()) },
        NewFile { path: "dir/b.txt".into(), text: Some("b\n".into()) },
        NewFile { path: "README.md".into(), text: None },
    ];
    let by = Signature {
        name: "Ada".into(),
        email: "ada@example.org".into(),
        date: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    let commit = ada.commit_files(engine, "feature/one", &main, &files, "Two files", Some(&by)).await.unwrap();
    assert_eq!(scene.fake.branch("ada/engine", "feature/one"), Some(commit.clone()));
    assert_eq!(scene.fake.file("ada/engine", "feature/one", "dir/b.txt").as_deref(), Some("b\n"));
    assert_eq!(scene.fake.file("ada/engine", "feature/one", "README.md"), None);
    let told = ada.commits(engine, Some("feature/one"), None, None, Some(1)).await.unwrap().items.remove(0);
    assert_eq!((told.sha, told.message, told.author), (commit.clone(), "Two files".to_owned(), by));

    let new = NewPull {
        title: "One".into(),
        body: "All of it.".into(),
        head: "feature/one".into(),
        base: "main".into(),
        draft: false,
    };
    assert_eq!(ada.open_pull(engine, "feature/one", "main").await.unwrap(), None);
    let made = ada.create_pull(engine, &new).await.unwrap();
    assert_eq!((made.number, &*made.head.sha, made.state), (1, &*commit, State::Open));
    assert_eq!(ada.open_pull(engine, "feature/one", "main").await.unwrap().unwrap().number, 1);
    let refused = ada.create_pull(engine, &new).await.unwrap_err();
    assert!(refused.to_string().contains("A pull request already exists for ada:feature/one."), "{refused}");
    assert_eq!(scene.fake.count("POST /repos/ada/engine/pulls"), 1);
    assert_eq!(ada.pull(engine, 1).await.unwrap().title, "One");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_was_moved_is_not_moved_over() {
    let scene = Scene::new().await;
    let main = scene.ada.branch(&scene.engine, "main").await.unwrap().unwrap();
    let put = |path: &'static str| Put { path, bytes: b"x", message: "x", branch: Some("main"), replaces: None };
    scene.ada.put_file(&scene.engine, &put("x.txt")).await.unwrap();
    let files = [NewFile { path: "y.txt".into(), text: Some("y".into()) }];
    let refused = scene.ada.commit_files(&scene.engine, "main", &main, &files, "y", None).await.unwrap_err();
    assert!(refused.to_string().contains("not a fast forward"), "{refused}");
    // A file that is there is replaced by whoever knows it.
    let refused = scene.ada.put_file(&scene.engine, &put("x.txt")).await.unwrap_err();
    assert!(matches!(refused, GithubError::Refused { .. }), "{refused}");
    let known = scene.ada.file(&scene.engine, "x.txt", None).await.unwrap().sha;
    scene.ada.put_file(&scene.engine, &Put { replaces: Some(&known), bytes: b"z", ..put("x.txt") }).await.unwrap();
    assert_eq!(scene.fake.file("ada/engine", "main", "x.txt").as_deref(), Some("z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_are_written_changed_and_commented() {
    let scene = Scene::new().await;
    let new = NewIssue { title: "It squeaks".into(), labels: vec!["bug".into()], ..NewIssue::default() };
    let made = scene.ada.create_issue(&scene.engine, &new).await.unwrap();
    assert_eq!((made.number, made.labels, made.is_pull), (1, vec!["bug".to_owned()], false));
    let comment = scene.ada.comment(&scene.engine, 1, "Oil it.").await.unwrap();
    assert_eq!(scene.nobody.comments(&scene.engine, 1, None, None).await.unwrap().items, [comment]);
    let change =
        IssueChange { state: Some(State::Closed), labels: Some(vec!["done".into()]), ..IssueChange::default() };
    let changed = scene.ada.update_issue(&scene.engine, 1, &change).await.unwrap();
    assert!(change.is_made(&changed) && !change.is_made(&hostel_github::Issue { state: State::Open, ..changed }));
    let filter = hostel_github::IssueFilter { state: StateFilter::Open, ..Default::default() };
    assert!(scene.nobody.issues(&scene.engine, &filter).await.unwrap().items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_made_once() {
    let scene = Scene::new().await;
    let new = NewRepository { name: "looms".into(), private: true, auto_init: true, ..NewRepository::default() };
    let made = scene.ada.create_repository(&new).await.unwrap();
    assert_eq!((&*made.full_name, made.private), ("ada/looms", true));
    let refused = scene.ada.create_repository(&new).await.unwrap_err();
    assert!(refused.to_string().contains("name already exists"), "{refused}");
    assert_eq!(scene.fake.count("POST /user/repos"), 1);
}
