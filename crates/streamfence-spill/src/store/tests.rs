//! The store on a simulated disk, thread by thread in turn, and on a real one.

mod directory;
mod faults;
mod model;
mod rig;
mod rules;
mod threads;
