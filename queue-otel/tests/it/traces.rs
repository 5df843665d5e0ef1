//! The spans that an exporter has received.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry::trace::{SpanId, Status, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, ShouldSample, SpanData};
use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// An exporter in memory.
pub(crate) struct Traces {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
}

/// A finished span.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) parent: Option<String>,
    /// The trace and the span of each link.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) is_error: bool,
}

impl Traces {
    pub(crate) fn new() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        Self { exporter, provider }
    }

    /// Creates an exporter that receives the spans that a sampler selects.
    pub(crate) fn sampled_by(sampler: impl ShouldSample + 'static) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
        Self { exporter, provider: provider.with_sampler(sampler).build() }
    }

    /// Returns a tracer whose spans the exporter receives.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("test")
    }

    /// Returns the subscriber whose spans the exporter receives.
    pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        let layer = tracing_opentelemetry::layer().with_tracer(self.tracer());
        tracing_subscriber::registry().with(layer)
    }

    /// Returns the spans that have ended, in the order of their ends. The start of a service is a span that belongs to no job, and
    /// is left out, as is the framework's span `attempt`.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let of_jobs = |span: &Seen| !["start", "attempt"].contains(&span.name.as_str());
        self.ended().into_iter().map(Seen::from).filter(of_jobs).collect()
    }

    /// Returns the spans that have ended, as the exporter has received them.
    pub(crate) fn ended(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }
}

impl Seen {
    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }
}

impl From<SpanData> for Seen {
    fn from(data: SpanData) -> Self {
        let (trace, span) = (data.span_context.trace_id(), data.span_context.span_id());
        let link = |context: &opentelemetry::trace::SpanContext| {
            (context.trace_id().to_string(), context.span_id().to_string())
        };
        let has_parent = data.parent_span_id != SpanId::INVALID;
        Self {
            name: data.name.to_string(),
            kind: format!("{:?}", data.span_kind),
            trace: trace.to_string(),
            span: span.to_string(),
            parent: has_parent.then(|| data.parent_span_id.to_string()),
            links: data.links.links.iter().map(|found| link(&found.span_context)).collect(),
            attributes: data
                .attributes
                .iter()
                .map(|pair| (pair.key.to_string(), pair.value.to_string()))
                .collect(),
            is_error: matches!(data.status, Status::Error { .. }),
        }
    }
}

/// Returns the span of this name and attempt.
#[track_caller]
pub(crate) fn of<'a>(seen: &'a [Seen], name: &str, attempt: Option<&str>) -> &'a Seen {
    let found: Vec<_> =
        seen.iter().filter(|span| span.name == name && span.attribute("job.attempt") == attempt).collect();
    assert_eq!(found.len(), 1, "{name} {attempt:?}: {seen:#?}");
    found[0]
}

/// Asserts that parents and links connect all spans.
#[track_caller]
pub(crate) fn assert_connected(seen: &[Seen]) {
    let mut reached: BTreeSet<&str> = seen.first().map(|span| span.span.as_str()).into_iter().collect();
    let neighbours = |span: &Seen| -> Vec<String> {
        span.parent.iter().cloned().chain(span.links.iter().map(|(_, span)| span.clone())).collect()
    };
    loop {
        let before = reached.len();
        for span in seen {
            let near = neighbours(span);
            let others = seen.iter().filter(|other| near.contains(&other.span));
            let group: Vec<_> = others.chain([span]).map(|span| span.span.as_str()).collect();
            if group.iter().any(|id| reached.contains(id)) {
                reached.extend(group);
            }
        }
        if reached.len() == before {
            break;
        }
    }
    assert_eq!(reached.len(), seen.len(), "not all spans are connected: {seen:#?}");
}

/// Asserts how a request, the job that it enqueued, its retry and its followup are connected.
#[track_caller]
pub(crate) fn assert_story(seen: &[Seen]) {
    let request = of(seen, "request", None);
    let first = of(seen, "process orders", Some("1"));
    let retry = of(seen, "process orders", Some("2"));
    let followup = of(seen, "process shipping", Some("1"));
    let link = |span: &Seen| (span.trace.clone(), span.span.clone());

    assert_eq!(
        (&first.trace, first.parent.as_ref()),
        (&request.trace, Some(&request.span)),
        "the first attempt"
    );
    assert_eq!(first.links, []);
    assert_ne!(retry.trace, request.trace, "a retry begins a trace");
    assert_eq!((retry.parent.as_ref(), &retry.links), (None, &vec![link(request)]), "the retry");
    assert_eq!(
        (&followup.trace, followup.parent.as_ref()),
        (&retry.trace, Some(&retry.span)),
        "the followup"
    );
    assert_connected(seen);
}
