//! A forecast from a service that wants a key, which the agent never has. `HOSTEL_SECRET_WEATHER_KEY=.. cargo run -p hostel
//! --example keys`, then
//!
//! ```text
//! hostel call weather/main look '"Rome"'
//! hostel call weather/main look '"Atlantis"'           the service repeats the key in its error; you see [masked]
//! ```

use hostel::{
    SecretName, Vault,
    prelude::*,
    vault::{Options, environment},
};

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Weather {
    last: Option<String>,
}

#[agent]
impl Weather {
    /// Asks the service. The name of the key may be kept, sent and logged; its value is here for one request.
    #[callable]
    async fn look(cx: &Cx<Self>, town: String) -> Result<String> {
        let vault = cx.env::<Vault>()?;
        let key = vault.reveal(&SecretName::node("WEATHER_KEY")?).await?;
        let said = forecast(key.expose(), &town)?;
        cx.update(|me| me.last = Some(said.clone()))?;
        Ok(said)
    }
}

/// The stand-in for a service: one that tells more than it should.
fn forecast(key: &str, town: &str) -> Result<String> {
    match town {
        "Atlantis" => Err(Error::msg(format!("No such town, says the account of {key}."))),
        town => Ok(format!("Sunny in {town}, for whoever has {key}.")),
    }
}

fn main() -> Result<()> {
    // Before anything else: takes the secrets out of the environment, and starts this program anew without them.
    let environment = environment::isolate()?;
    let vault = Vault::open(None, &environment, Options::default())?;
    let app = App::new().vault(vault).agent::<Weather>();
    tokio::runtime::Runtime::new()?.block_on(app.serve("127.0.0.1:8787"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hostel::vault::{Environment, KeySource};
    use hostel_testing::TestHome;
    use serde_json::json;

    use super::*;

    const KEY: &str = "canary-0123456789";

    #[tokio::test]
    async fn what_a_service_repeats_of_the_key_is_masked_before_it_is_kept_or_sent() {
        let dir = tempfile::tempdir().unwrap();
        let (file, key) = (dir.path().join("vault"), KeySource::File(dir.path().join("key")));
        Vault::create(&file, &key).unwrap();
        let open = move || Vault::open(Some((&file, Some(&key))), &Environment::default(), Options::default()).unwrap();
        open().set(&SecretName::node("WEATHER_KEY").unwrap(), KEY).unwrap();
        let home = TestHome::start(move || App::new().vault(open()).agent::<Weather>()).await;
        let mut page = home.connect("weather/main").await;
        let said = page.call("look", json!(["Rome"])).await;
        assert_eq!(said, "Sunny in Rome, for whoever has [masked].");
        assert_eq!(page.state().await["last"], said);
        let refused = page.try_call("look", json!(["Atlantis"])).await.unwrap_err().to_string();
        assert!(refused.contains("[masked]") && !refused.contains(KEY), "{refused}");
    }
}
