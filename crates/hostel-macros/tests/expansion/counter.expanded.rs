#[doc = " A counter that several people share."]
impl Counter {
    #[doc = " Adds `by` and returns the new count."]
    fn increment(&mut self, by: i64) -> i64 {
        self.count += by;
        self.count
    }
    async fn count_to(cx: &Cx<Self>, stream: Stream<i64>, to: Bound) -> Result<()> {
        stream.send(&to.0)
    }
    fn on_connect(&self, connection: &Connection) -> Result<()> {
        connection.send_json(&self.count)
    }
    #[doc = " Starts again."]
    fn reset(&mut self) {
        self.count = 0;
    }
    #[doc = " Adds `by` later."]
    fn add(&mut self, by: i64) {
        self.count += by;
    }
    fn helper(&self) {}
}
#[doc = "Calls to an agent of the class [`Counter`]: values that do nothing until awaited."]
#[derive(Clone, Debug)]
#[allow(dead_code, unreachable_pub, reason = "callers elsewhere decide what is used")]
pub struct CounterStub(::hostel::Stub);
#[allow(
    dead_code,
    private_interfaces,
    unreachable_pub,
    clippy::extra_unused_lifetimes,
    clippy::needless_lifetimes,
    clippy::too_many_arguments,
    reason = "the class's own signatures, repeated"
)]
impl CounterStub {
    #[doc = "Adds `by` and returns the new count."]
    pub fn increment(&self, by: i64) -> ::hostel::Call<i64> {
        self.0.call("increment", &(by,))
    }
}
impl ::core::ops::Deref for CounterStub {
    type Target = ::hostel::Stub;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
impl ::core::convert::From<::hostel::Stub> for CounterStub {
    fn from(stub: ::hostel::Stub) -> Self {
        Self(stub)
    }
}
#[doc = "Runs of the tasks of [`Counter`], to be given a time."]
#[derive(Clone, Debug)]
#[allow(dead_code, unreachable_pub, reason = "the class itself decides what is used")]
pub struct CounterTasks(::hostel::TaskOrders);
#[allow(
    dead_code,
    private_interfaces,
    unreachable_pub,
    clippy::extra_unused_lifetimes,
    clippy::needless_lifetimes,
    clippy::too_many_arguments,
    reason = "the class's own signatures, repeated"
)]
impl CounterTasks {
    #[doc = "Starts again."]
    pub fn reset(&self) -> ::hostel::Run {
        self.0.order("reset", &[(); 0])
    }
    #[doc = "Adds `by` later."]
    pub fn add(&self, by: i64) -> ::hostel::Run {
        self.0.order("add", &(by,))
    }
}
impl ::core::convert::From<::hostel::TaskOrders> for CounterTasks {
    fn from(orders: ::hostel::TaskOrders) -> Self {
        Self(orders)
    }
}
const _: () = {
    #[allow(unused_imports, reason = "not every class needs every fallback")]
    use ::hostel::__private::{Infallible as _, IntoReply as _, NoDeclaredFields as _, WithoutSchema as _};
    #[allow(
        deprecated,
        clippy::needless_update,
        reason = "callers of a deprecated method are told, not its table; a class may have every hook"
    )]
    impl ::hostel::Agent for Counter {
        const CLASS: &'static str = "Counter";
        const DOC: &'static str = "A counter that several people share.";
        const FIELDS: &'static [::hostel::StateField] = ::hostel::__private::FieldsProbe::<Self>::DECLARED;
        const METHODS: &'static [::hostel::Method<Self>] = &[
            ::hostel::Method {
                name: "increment",
                doc: "Adds `by` and returns the new count.",
                kind: ::hostel::MethodKind::Plain(::hostel::Handler::Turn(|__me, _, __args| {
                    let (by,) = {
                        let mut __args = __args.reader("increment")?;
                        (__args.next::<i64>("by")?,)
                    };
                    ::hostel::__private::Returned(Self::increment(__me, by)).outcome()?.into_reply()
                })),
                cancel_on_disconnect: false,
                allow: &[],
                offer: ::hostel::Offer::Tool,
                signature: |book| {
                    ::hostel::__private::Signature::new()
                        .param("by", ::hostel::__private::TypeProbe::<i64>::new().ts_input(book))
                        .returns(::hostel::__private::TypeProbe::<i64>::new().ts(book))
                },
            },
            ::hostel::Method {
                name: "countTo",
                doc: "",
                kind: ::hostel::MethodKind::Streaming(::hostel::Handler::Task(|__cx, (__stream, __args)| {
                    ::std::boxed::Box::pin(async move {
                        let (to,) = {
                            let mut __args = __args.reader("countTo")?;
                            (__args.next::<Bound>("to")?,)
                        };
                        let __stream = <Stream<i64>>::from(__stream);
                        ::hostel::__private::Returned(Self::count_to(&__cx, __stream, to).await)
                            .outcome()
                            .map(|returned| returned.0)
                    })
                })),
                cancel_on_disconnect: false,
                allow: &[],
                offer: ::hostel::Offer::Tool,
                signature: |book| {
                    ::hostel::__private::Signature::new()
                        .param("to", ::hostel::__private::TypeProbe::<Bound>::new().ts_input(book))
                        .chunks(::hostel::__private::TypeProbe::<i64>::new().ts(book))
                        .returns(::hostel::__private::TypeProbe::<()>::new().ts(book))
                },
            },
            ::hostel::Method::closed("reset"),
            ::hostel::Method::closed("add"),
            ::hostel::Method::closed("helper"),
        ];
        const TASKS: &'static [::hostel::Task<Self>] = &[
            ::hostel::Task {
                name: "reset",
                doc: "Starts again.",
                handler: ::hostel::Handler::Turn(|__me, _, _| {
                    ::hostel::__private::Returned(Self::reset(__me)).outcome()?.into_reply()
                }),
                declared: &[::hostel::Declared::Cron {
                    text: "0 0 * * *",
                    zone: ::core::option::Option::Some("Europe/Berlin"),
                    missed: ::hostel::Missed::Once,
                }],
                timeout: ::hostel::Task::<Self>::TIMEOUT,
            },
            ::hostel::Task {
                name: "add",
                doc: "Adds `by` later.",
                handler: ::hostel::Handler::Turn(|__me, _, __args| {
                    let (by,) = {
                        let mut __args = __args.reader("add")?;
                        (__args.next::<i64>("by")?,)
                    };
                    ::hostel::__private::Returned(Self::add(__me, by)).outcome()?.into_reply()
                }),
                declared: &[],
                timeout: ::hostel::Task::<Self>::TIMEOUT,
            },
        ];
        const HOOKS: ::hostel::Hooks<Self> = ::hostel::Hooks {
            on_connect: Some(::hostel::Handler::Read(|__me, _, (connection, _)| {
                ::hostel::__private::Returned(Self::on_connect(__me, &connection)).outcome().map(|returned| returned.0)
            })),
            ..::hostel::Hooks::NONE
        };
        type Stub = CounterStub;
        type Tasks = CounterTasks;
        fn state_type(book: &mut ::hostel::__private::TypeBook) -> ::std::string::String {
            ::hostel::__private::TypeProbe::<Self>::new()
                .ts_state(book, ::hostel::__private::FieldsProbe::<Self>::DECLARED)
        }
    }
};
