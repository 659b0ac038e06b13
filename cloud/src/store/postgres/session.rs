//! One connection to PostgreSQL, used by one thread: statements, values and rows of the seam.
//!
//! A broken connection is made anew at the next group or reading; what was under way has failed, and its caller is told.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
    error::Error,
    io,
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use postgres::{
    Client, NoTls, Statement,
    config::SslMode,
    types::{IsNull, ToSql, Type, to_sql_checked},
};
use preau_shared::rig::{
    sql::{Cell as Column, Row, Sql, Value},
    tls,
    writer::{Session as Writing, StoreError},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Address, Holding, dialect};
use crate::store::leases::{self, Held};

/// A server that does not answer a connection for so long is taken for gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Set on every connection. Nobody holds locks in an act that stands still (its program may be cut off or stopped):
/// whoever waits to take over waits no longer than this.
const SETTINGS: &str = "SET idle_in_transaction_session_timeout = '3s'; SET lock_timeout = '10s';
    SET statement_timeout = '60s'; SET synchronous_commit = on; SET client_min_messages = warning";
/// Statements kept prepared; there are about 150 of them.
const STATEMENT_CACHE: usize = 512;

/// A connection, or the place of one.
pub(crate) struct Session {
    address: Address,
    client: RefCell<Option<Client>>,
    statements: RefCell<HashMap<String, Statement>>,
    written: Cell<u64>,
    /// The writer's: what this coordinator holds, …
    holding: Option<Arc<Holding>>,
    /// … held when the act began, …
    begun: RefCell<Arc<Held>>,
    /// … and was found to hold since, in the act.
    found: RefCell<BTreeSet<String>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({:?})", self.address)
    }
}

impl Session {
    /// A session that connects when it is first needed.
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            client: RefCell::default(),
            statements: RefCell::default(),
            written: Cell::new(0),
            holding: None,
            begun: RefCell::default(),
            found: RefCell::default(),
        }
    }

    /// One that writes to those shelves only whose lease this coordinator holds, or can take.
    pub(super) fn holding(self, holding: Arc<Holding>) -> Self {
        Self { holding: Some(holding), ..self }
    }

    /// Connects if there is no working connection.
    pub(super) fn connect(&self) -> Result<(), StoreError> {
        if !self.is_broken() {
            return Ok(());
        }
        self.forget();
        let mut config = self.address.config.clone();
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(CONNECT_TIMEOUT).keepalives_idle(CONNECT_TIMEOUT);
        config.application_name("preau-cloud");
        let client = if config.get_ssl_mode() == SslMode::Require {
            let authority = self.address.authority.as_deref();
            let authority = authority.ok_or(StoreError::Postgres("sslmode=require needs store_authority".into()))?;
            let client = tls::client(authority, None).map_err(|error| StoreError::Postgres(error.to_string()))?;
            config.connect(MakeRustlsConnect::new(client))
        } else {
            config.connect(NoTls)
        };
        let mut client = client.map_err(|error| said(&error))?;
        client.batch_execute(SETTINGS).map_err(|error| said(&error))?;
        *self.client.borrow_mut() = Some(client);
        Ok(())
    }

    /// Drops the connection and all that was prepared on it.
    pub(super) fn forget(&self) {
        *self.client.borrow_mut() = None;
        self.statements.borrow_mut().clear();
    }

    /// Begins a reading of one state.
    pub(super) fn begin_reading(&self) -> Result<(), StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    /// Begins, on a new connection when the old one turns out to be gone: nothing was done on it yet.
    fn begin_with(&self, word: &str) -> Result<(), StoreError> {
        self.connect()?;
        if self.control(word).is_ok() {
            return Ok(());
        }
        // The client may not have noticed yet that its connection is closed.
        self.forget();
        self.connect()?;
        self.control(word)
    }

    fn is_broken(&self) -> bool {
        self.client.borrow().as_ref().is_none_or(Client::is_closed)
    }

    /// Ends what is under way without a trace; a connection that cannot even do that is dropped.
    pub(super) fn roll_back(&self) {
        if self.control("ROLLBACK").is_err() {
            self.forget();
        }
    }

    /// Runs `f` on the client with the prepared form of a statement.
    fn with<T>(
        &self,
        sql: &str,
        f: impl FnOnce(&mut Client, &Statement) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        let mut client = self.client.borrow_mut();
        let client = client.as_mut().ok_or_else(|| StoreError::Away("not connected".into()))?;
        let known = self.statements.borrow().get(sql).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let statement = client.prepare(&dialect::statement(sql)).map_err(|error| said(&error))?;
                let mut statements = self.statements.borrow_mut();
                if statements.len() >= STATEMENT_CACHE {
                    statements.clear();
                }
                statements.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        f(client, &statement).map_err(|error| said(&error))
    }
}

impl Sql for Session {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let values: Vec<Parameter<'_>> = values.iter().map(|value| Parameter(*value)).collect();
        let count = self.with(sql, |client, statement| client.execute(statement, &parameters(&values)))?;
        self.written.set(self.written.get().wrapping_add(count));
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let values: Vec<Parameter<'_>> = values.iter().map(|value| Parameter(*value)).collect();
        let rows = self.with(sql, |client, statement| client.query(statement, &parameters(&values)))?;
        if !sql.trim_start().starts_with("SELECT") {
            // RETURNING: what it gives, it wrote.
            self.written.set(self.written.get().wrapping_add(u64::try_from(rows.len()).unwrap_or(u64::MAX)));
        }
        rows.iter().map(row).collect()
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let mut client = self.client.borrow_mut();
        let client = client.as_mut().ok_or_else(|| StoreError::Away("not connected".into()))?;
        if sql.contains("ROLLBACK") {
            // The locks on leases that were taken since go with it.
            self.found.borrow_mut().clear();
        }
        client.batch_execute(sql).map_err(|error| said(&error))
    }

    fn may_write(&self, shelf: &str) -> Result<bool, StoreError> {
        let Some(holding) = &self.holding else { return Ok(true) };
        if self.found.borrow().contains(shelf) {
            return Ok(true);
        }
        let known = self.begun.borrow().get(shelf).copied();
        let fence = match (known, leases::mine(self, shelf, &holding.holder)?) {
            (Some(known), fence) => fence.filter(|fence| *fence == known),
            (None, Some(fence)) => Some(fence),
            // A new school, or nobody's: whoever writes there first holds it.
            (None, None) => leases::take(self, shelf, &holding.holder)?,
        };
        match fence {
            Some(fence) => holding.found(shelf, fence),
            None => holding.lost(shelf),
        }
        if fence.is_some() {
            self.found.borrow_mut().insert(shelf.to_owned());
        }
        Ok(fence.is_some())
    }
}

impl Writing for Session {
    fn begin(&self) -> Result<(), StoreError> {
        self.begin_with("BEGIN")
    }

    fn commit(&self) -> Result<(), StoreError> {
        let Err(error) = self.control("COMMIT") else { return Ok(()) };
        let broken = self.is_broken();
        self.roll_back();
        // The server may have committed before it, or the way to it, went.
        if broken { Err(StoreError::Unsure(error.to_string())) } else { Err(error) }
    }

    fn control(&self, word: &str) -> Result<(), StoreError> {
        if let Some(holding) = &self.holding
            && word == "SAVEPOINT act"
        {
            *self.begun.borrow_mut() = holding.held();
            self.found.borrow_mut().clear();
        }
        self.batch(word)
    }

    fn written(&self) -> u64 {
        self.written.get()
    }
}

/// What the server or the connection says, without the values that a detail may repeat.
fn said(error: &postgres::Error) -> StoreError {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => {
            let (code, words) = (said.code().code(), said.message());
            let words = format!("{words} ({code})");
            if passes(code) { StoreError::Away(words) } else { StoreError::Postgres(words) }
        }
        (None, Some(why)) if error.is_closed() || why.is::<io::Error>() => StoreError::Away(format!("{error}: {why}")),
        (None, None) if error.is_closed() => StoreError::Away(error.to_string()),
        (None, Some(why)) => StoreError::Postgres(format!("{error}: {why}")),
        (None, None) => StoreError::Postgres(error.to_string()),
    }
}

/// Whether a server that says so is starting, stopping or full (PostgreSQL, appendix A: classes 08 and 53, 57P01 to 57P03).
fn passes(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("53") || ["57P01", "57P02", "57P03"].contains(&code)
}

fn row(row: &postgres::Row) -> Result<Row, StoreError> {
    let cells: Result<Vec<Column>, StoreError> = row
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let unreadable = |_| StoreError::Column { at, wanted: "what it was written as" };
            Ok(match *column.type_() {
                Type::INT8 => row.try_get::<_, Option<i64>>(at).map_err(unreadable)?.map(Column::Int),
                Type::INT4 => row.try_get::<_, Option<i32>>(at).map_err(unreadable)?.map(|n| Column::Int(n.into())),
                Type::BOOL => row.try_get::<_, Option<bool>>(at).map_err(unreadable)?.map(|b| Column::Int(b.into())),
                Type::FLOAT8 => row.try_get::<_, Option<f64>>(at).map_err(unreadable)?.map(Column::Real),
                Type::TEXT | Type::VARCHAR => {
                    row.try_get::<_, Option<String>>(at).map_err(unreadable)?.map(Column::Text)
                }
                Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at).map_err(unreadable)?.map(Column::Bytes),
                Type::VOID => None,
                _ => return Err(StoreError::Column { at, wanted: "of a type that we use" }),
            }
            .unwrap_or(Column::Null))
        })
        .collect();
    cells.map(Row::new)
}

/// A value in the form that the server expects where it stands.
#[derive(Debug)]
struct Parameter<'a>(Value<'a>);

fn parameters<'a>(values: &'a [Parameter<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| -> &(dyn ToSql + Sync) { value }).collect()
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.0, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Value::Int(value), &Type::INT4) => i32::try_from(value)?.to_sql(ty, out),
            (Value::Real(value), &Type::FLOAT8) => value.to_sql(ty, out),
            (Value::Text(value), &Type::TEXT | &Type::VARCHAR) => value.to_sql(ty, out),
            (Value::Bytes(value), &Type::BYTEA) => value.to_sql(ty, out),
            (value, ty) => {
                let what = match value {
                    Value::Null => "nothing",
                    Value::Int(_) => "a whole number",
                    Value::Real(_) => "a measure",
                    Value::Text(_) => "text",
                    Value::Bytes(_) => "bytes",
                };
                Err(format!("{what} was given where the statement takes {ty}").into())
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
