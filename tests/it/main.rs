//! Integration tests: one binary, so that the test server is compiled once and none of it is unused.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod carry;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod check;
#[cfg(test)]
mod closed;
#[cfg(test)]
mod commits;
#[cfg(test)]
mod consent;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod data_faults;
#[cfg(test)]
mod derived;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod history;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house;
#[cfg(test)]
mod interrupt;
#[cfg(test)]
mod json_server;
#[cfg(test)]
mod log;
#[cfg(test)]
mod maps;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod power_cuts;
#[cfg(test)]
mod printing;
#[cfg(test)]
mod real_servers;
#[cfg(test)]
mod regressions;
#[cfg(test)]
mod rejects;
#[cfg(test)]
mod report;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod run;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod support;
#[cfg(test)]
mod unchanged;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod values;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod workers;
