//! What the tracker measured of announces.

use projections::swarm::Announces;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::Of;

/// Measures announces by transport and outcome, and how long they took.
pub(super) fn measure(registry: &mut Registry, all: Vec<Announces>) {
    let family = Family::<Of, Counter>::default();
    let help = "Announces, by how they came and what became of them";
    registry.register("announces", help, family.clone());
    for one in &all {
        for (outcome, many) in &one.outcomes {
            let of = vec![("transport", one.transport), ("outcome", outcome)];
            family.get_or_create(&of).inc_by(*many);
        }
    }
    registry.register_collector(Box::new(Times(all)));
}

/// How long announces took.
#[derive(Debug)]
struct Times(Vec<Announces>);

impl Collector for Times {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "How long announces took from being read to being answered";
        let kind = MetricType::Histogram;
        let mut family = encoder.encode_descriptor("announce", help, Some(&Unit::Seconds), kind)?;
        for one in &self.0 {
            let of = [("transport", one.transport)];
            let many = one.times.iter().map(|(_, many)| many).sum();
            family.encode_family(&of)?.encode_histogram::<NoLabelSet>(
                one.seconds,
                many,
                &one.times,
                None,
            )?;
        }
        Ok(())
    }
}
