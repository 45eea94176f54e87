//! One cell of a column as a JSON value.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use serde_json::{Map, Value};

use crate::source::exchange::RECORD_BYTES_MAX;

/// The value at `row`. Takes its bytes, and one for each value of a list, from `budget`; says in words when that is used up.
pub(super) fn value(column: &dyn Array, row: usize, budget: &mut usize) -> Result<Value, String> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    match column.data_type() {
        DataType::Null => Ok(Value::Null),
        DataType::Boolean => Ok(Value::Bool(column.as_boolean().value(row))),
        DataType::Utf8 => {
            let text = column.as_string::<i32>().value(row);
            spend(budget, text.len())?;
            Ok(Value::String(text.to_owned()))
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            spend(budget, items.len())?;
            (0..items.len()).map(|item| value(&items, item, budget)).collect::<Result<_, _>>().map(Value::Array)
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let mut object = Map::new();
            for (field, column) in fields.iter().zip(columns) {
                object.insert(field.name().clone(), value(column, row, budget)?);
            }
            Ok(Value::Object(object))
        }
        // `Columns::find` lets no other type through.
        other => Err(format!("has a value of the type {other}")),
    }
}

fn spend(budget: &mut usize, n_bytes: usize) -> Result<(), String> {
    match budget.checked_sub(n_bytes) {
        Some(left) => *budget = left,
        None => {
            *budget = 0;
            return Err(format!("has more than the {RECORD_BYTES_MAX} bytes allowed"));
        }
    }
    Ok(())
}
