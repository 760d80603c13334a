//! Sessions: what they are made of and the rules of their life.

mod admission;
mod budget;
mod cause;
pub mod data;
mod delta;
pub mod expiry;
mod handle;
mod quota;
pub(crate) mod record;
mod user;
pub mod value;
mod version;

pub use self::{
    admission::{Admission, Due, Presented, Rotation, admit},
    budget::{Budget, OverBudget, Room},
    cause::Cause,
    data::Data,
    delta::{Delta, Update},
    expiry::{Lifetime, Touch},
    handle::{Handle, InvalidHandle, Secret, SecretHash, SessionId},
    quota::{Quota, QuotaLeft},
    record::{Binding, Device, Draft, Kind, Live, Moment, Origin, Payload, Previous, Record},
    user::{Epoch, InvalidUserId, Spared, UserEntry, UserId},
    value::{Value, ValueError},
    version::{Version, WriteId},
};
