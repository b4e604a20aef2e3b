//! The layers of the host that know no runtime.

#[path = "../../../host/src/codec/mod.rs"]
pub mod codec;
#[path = "../../../host/src/protocol/mod.rs"]
pub mod protocol;
#[path = "../../../host/src/queue/mod.rs"]
pub mod queue;
#[path = "../../../host/src/routing/mod.rs"]
pub mod routing;
#[path = "../../../host/src/types/mod.rs"]
pub mod types;
