//! The embedded engine answers the same to the SDK directly and over HTTP: what is tested without a socket holds with one.

use std::{fmt::Debug, future::Future, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{AsyncSleep, SharedAsyncSleep, Sleep},
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::UpdateItemError,
    types::{AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use futures_util::future::join_all;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};

use crate::support::{
    harness::program_on,
    steps::{enter, like, list, members, open_room, room},
};
use cli::engine::{self, Engine};
use store::Table;

const TABLE: &str = "mini-lvb";

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(number: u32) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// What an outcome says, comparable: what it gave, or its HTTP status, its type and its message.
fn said<T: Debug, E: ProvideErrorMetadata + Debug>(outcome: Result<T, SdkError<E, HttpResponse>>) -> String {
    match outcome {
        Ok(answer) => format!("{answer:?}"),
        Err(SdkError::ServiceError(error)) => {
            let (status, error) = (error.raw().status(), error.err());
            format!("{status} {:?} {:?}", error.code(), error.message())
        }
        Err(error) => panic!("not an answer of the table: {error:?}"),
    }
}

/// Runs the same calls on an engine reached directly and on one reached over HTTP, and compares what both say.
/// What the direct one says, for the test to see that it is about what it means to be about.
async fn both<F: Future<Output = Vec<String>>>(calls: impl Fn(Client) -> F) -> Vec<String> {
    let direct = calls(prepared(Engine::in_memory().unwrap().client()).await).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let database = Engine::in_memory().unwrap().database();
    let server = tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async move {
        stopped.await.ok();
    }));
    let client = engine::client_of(address);
    let served = calls(prepared(client).await).await;
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();

    assert_eq!(direct, served);
    direct
}

/// Makes the table and puts five rows of a list into it.
async fn prepared(client: Client) -> Client {
    Table::new(client.clone(), TABLE).create_if_missing().await.unwrap();
    for row in 0..5 {
        let put = client.put_item().table_name(TABLE).item("PK", s("P")).item("SK", s(&format!("S{row}")));
        let put = put.item("list", s("l")).item("position", s(&format!("{row}"))).item("count", n(row));
        put.send().await.unwrap();
    }
    client
}

/// An outcome without the attributes' order, which a map does not keep.
fn sorted(item: Option<&std::collections::HashMap<String, AttributeValue>>) -> String {
    format!("{:?}", item.map(|item| item.iter().collect::<std::collections::BTreeMap<_, _>>()))
}

#[tokio::test]
async fn an_item_is_got() {
    let said = both(|client| async move {
        let mut all = Vec::new();
        for key in ["S1", "none"] {
            let get = client.get_item().table_name(TABLE).key("PK", s("P")).key("SK", s(key)).consistent_read(true);
            all.push(sorted(get.send().await.unwrap().item()));
        }
        all
    })
    .await;
    assert!(said[0].contains("\"count\": N(\"1\")"), "{}", said[0]);
    assert_eq!(said[1], "None");
}

#[tokio::test]
async fn many_items_are_got() {
    let said = both(|client| async move {
        let key = |sk: &str| [("PK".to_owned(), s("P")), ("SK".to_owned(), s(sk))].into_iter().collect();
        let keys = KeysAndAttributes::builder().keys(key("S1")).keys(key("S3")).keys(key("none")).build().unwrap();
        let answer = client.batch_get_item().request_items(TABLE, keys).send().await.unwrap();
        let mut items: Vec<_> = answer.responses().unwrap()[TABLE].iter().map(|item| sorted(Some(item))).collect();
        items.sort();
        items.push(format!("{:?}", answer.unprocessed_keys()));
        items
    })
    .await;
    assert_eq!(said.len(), 3);
}

/// Reads a partition two at a time, of the table or of an index.
async fn page_by_page(client: Client, index: Option<&str>) -> Vec<String> {
    let (hash, value) = if index.is_some() { ("list", "l") } else { ("PK", "P") };
    let (mut all, mut start) = (Vec::new(), None);
    loop {
        let query = client.query().table_name(TABLE).set_index_name(index.map(str::to_owned)).limit(2);
        let query = query.key_condition_expression("#h = :h").expression_attribute_names("#h", hash);
        let query = query.expression_attribute_values(":h", s(value)).scan_index_forward(false);
        let answer = query.set_exclusive_start_key(start).send().await.unwrap();
        all.extend(answer.items().iter().map(|item| sorted(Some(item))));
        all.push(format!("{} of {}, then {}", answer.count, answer.scanned_count, sorted(answer.last_evaluated_key())));
        start = answer.last_evaluated_key;
        if start.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn a_partition_of_the_table_is_read_page_by_page() {
    assert_eq!(both(|client| page_by_page(client, None)).await.len(), 5 + 3);
}

#[tokio::test]
async fn a_partition_of_the_index_is_read_page_by_page() {
    assert_eq!(both(|client| page_by_page(client, Some("lists"))).await.len(), 5 + 3);
}

#[tokio::test]
async fn an_item_is_updated() {
    let said = both(|client| async move {
        let update = client.update_item().table_name(TABLE).key("PK", s("P")).key("SK", s("S1"));
        let update = update.update_expression("SET #t = :t ADD #c :one REMOVE #p").return_values(ReturnValue::AllNew);
        let update = update.expression_attribute_names("#t", "title").expression_attribute_names("#c", "count");
        let update = update.expression_attribute_names("#p", "position");
        let update = update.expression_attribute_values(":t", s("t")).expression_attribute_values(":one", n(1));
        vec![sorted(update.send().await.unwrap().attributes())]
    })
    .await;
    assert!(said[0].contains("\"count\": N(\"2\")") && !said[0].contains("position"), "{}", said[0]);
}

/// Updates an item under a condition that does not hold.
async fn unmet(client: Client, key: &str) -> Vec<String> {
    let update = client.update_item().table_name(TABLE).key("PK", s("P")).key("SK", s(key));
    let update = update.update_expression("SET #c = :c").condition_expression("#c = :seen");
    let update = update.expression_attribute_names("#c", "count").expression_attribute_values(":c", n(1));
    let update = update.expression_attribute_values(":seen", n(99));
    let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let outcome = update.send().await;
    let error = outcome.as_ref().unwrap_err().as_service_error();
    let Some(UpdateItemError::ConditionalCheckFailedException(error)) = error else { panic!("{error:?}") };
    let item = sorted(error.item());
    vec![said(outcome), item]
}

#[tokio::test]
async fn a_condition_that_does_not_hold_gives_the_item() {
    let said = both(|client| unmet(client, "S1")).await;
    assert!(said[0].starts_with("400 Some(\"ConditionalCheckFailedException\")"), "{}", said[0]);
    assert!(said[1].contains("\"count\": N(\"1\")"), "{}", said[1]);
}

#[tokio::test]
async fn a_condition_that_does_not_hold_for_nothing_gives_nothing() {
    let said = both(|client| unmet(client, "none")).await;
    assert_eq!(said[1], "None");
}

#[tokio::test]
async fn an_item_that_is_deleted_is_given_for_the_last_time() {
    let said = both(|client| async move {
        let mut all = Vec::new();
        for _ in 0..2 {
            let delete = client.delete_item().table_name(TABLE).key("PK", s("P")).key("SK", s("S1"));
            all.push(sorted(delete.return_values(ReturnValue::AllOld).send().await.unwrap().attributes()));
        }
        all
    })
    .await;
    assert!(said[0].contains("\"SK\": S(\"S1\")"), "{}", said[0]);
    assert_eq!(said[1], "None");
}

#[tokio::test]
async fn a_table_is_made_once() {
    let outcomes = both(|client| async move {
        Table::new(client.clone(), TABLE).create_if_missing().await.unwrap();
        let definition = aws_sdk_dynamodb::types::AttributeDefinition::builder()
            .attribute_name("PK")
            .attribute_type(aws_sdk_dynamodb::types::ScalarAttributeType::S)
            .build()
            .unwrap();
        let key = aws_sdk_dynamodb::types::KeySchemaElement::builder()
            .attribute_name("PK")
            .key_type(aws_sdk_dynamodb::types::KeyType::Hash)
            .build()
            .unwrap();
        let create = client.create_table().table_name(TABLE).attribute_definitions(definition).key_schema(key);
        let create = create.billing_mode(aws_sdk_dynamodb::types::BillingMode::PayPerRequest);
        vec![said(create.send().await)]
    })
    .await;
    assert!(outcomes[0].starts_with("400 Some(\"ResourceInUseException\")"), "{}", outcomes[0]);
}

#[tokio::test]
async fn an_update_that_cannot_be_read_is_refused() {
    let outcomes = both(|client| async move {
        let mut all = Vec::new();
        for expression in ["SET", "SET a =", "SET #undefined = :undefined", "NONSENSE", ""] {
            let update = client.update_item().table_name(TABLE).key("PK", s("P")).key("SK", s("S1"));
            all.push(said(update.update_expression(expression).send().await));
        }
        all
    })
    .await;
    for outcome in outcomes {
        assert!(outcome.starts_with("400 Some(\"ValidationException\")"), "{outcome}");
    }
}

#[tokio::test]
async fn a_key_of_the_wrong_type_is_refused() {
    let outcomes = both(|client| async move {
        let get = client.get_item().table_name(TABLE).key("PK", n(1)).key("SK", s("S1"));
        let half = client.get_item().table_name(TABLE).key("PK", s("P"));
        let put = client.put_item().table_name(TABLE).item("PK", s("P")).item("SK", n(1));
        vec![said(get.send().await), said(half.send().await), said(put.send().await)]
    })
    .await;
    for outcome in outcomes {
        assert!(outcome.starts_with("400 Some(\"ValidationException\")"), "{outcome}");
    }
}

#[tokio::test]
async fn a_number_that_is_none_is_refused() {
    let outcomes = both(|client| async move {
        let put = client.put_item().table_name(TABLE).item("PK", s("P")).item("SK", s("x"));
        vec![said(put.item("count", AttributeValue::N("x".to_owned())).send().await)]
    })
    .await;
    assert!(outcomes[0].starts_with("400 Some(\"ValidationException\")"), "{}", outcomes[0]);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_found() {
    let outcomes = both(|client| async move {
        let get = client.get_item().table_name("none").key("PK", s("P")).key("SK", s("S1"));
        let query = client.query().table_name("none").key_condition_expression("PK = :p");
        let query = query.expression_attribute_values(":p", s("P"));
        vec![said(get.send().await), said(query.send().await)]
    })
    .await;
    for outcome in outcomes {
        assert!(outcome.starts_with("400 Some(\"ResourceNotFoundException\")"), "{outcome}");
    }
}

#[tokio::test]
async fn an_index_that_is_not_there_is_refused() {
    let outcomes = both(|client| async move {
        let query = client.query().table_name(TABLE).index_name("none").key_condition_expression("PK = :p");
        vec![said(query.expression_attribute_values(":p", s("P")).send().await)]
    })
    .await;
    assert!(outcomes[0].starts_with("400 Some(\"ValidationException\")"), "{}", outcomes[0]);
}

/// A clock of the SDK that runs only while a request to the table is under way.
#[derive(Clone, Debug)]
struct Clock(watch::Sender<Duration>);

impl AsyncSleep for Clock {
    fn sleep(&self, duration: Duration) -> Sleep {
        /// Time limits are no shorter. The pauses before a retry are, and are over at once.
        const SHORTEST_LIMIT: Duration = Duration::from_secs(1);
        let mut now = self.0.subscribe();
        let end = *now.borrow() + duration;
        Sleep::new(async move {
            if duration >= SHORTEST_LIMIT {
                now.wait_for(|now| *now >= end).await.ok();
            }
        })
    }
}

/// An engine that does at once what it is asked, and answers after 2 seconds.
#[derive(Debug)]
struct Slow {
    engine: SharedHttpConnector,
    clock: Clock,
}

impl HttpConnector for Slow {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        /// More turns than a time limit takes to give up.
        const TURNS: usize = 10;
        let (asked, Clock(clock)) = (self.engine.call(request), self.clock.clone());
        HttpConnectorFuture::new(async move {
            let answer = asked.await?;
            clock.send_modify(|now| *now += Duration::from_secs(2));
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            Ok(answer)
        })
    }
}

#[tokio::test]
async fn an_engine_that_answers_after_2_seconds_loses_and_doubles_nothing() {
    const VIEWERS: usize = 8;
    let clock = Clock(watch::Sender::new(Duration::ZERO));
    let engine = SharedHttpConnector::new(Engine::in_memory().unwrap());
    let slow = {
        let clock = clock.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(Slow { engine: engine.clone(), clock: clock.clone() }))
    };
    let config =
        store::connect::in_process(slow).config().to_builder().sleep_impl(SharedAsyncSleep::new(clock)).build();
    let program = program_on(&Client::from_conf(config), TABLE, |_| None).await;
    open_room(&program, "alice", "t").await;
    join_all((0..VIEWERS).map(|n| {
        let (program, viewer) = (&program, format!("viewer{n}"));
        async move {
            enter(program, &viewer, "alice", "@alice").await;
            like(program, "alice").await;
            open_room(program, &viewer, "t").await;
        }
    }))
    .await;
    let alice = room(&program, "alice").await;
    assert_eq!((&alice["likecount"], &alice["viewercount"]), (&VIEWERS.into(), &VIEWERS.into()));
    assert_eq!(members(&program, "alice", "@alice").await["totalcount"], VIEWERS);
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], VIEWERS + 1);
}
