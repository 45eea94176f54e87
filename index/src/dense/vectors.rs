//! `vectors.arrow`: every tool's vector, in f32 and in 8 bits, memory-mapped.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float32Array, Int8Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::generation::ipc;

/// The vectors of one layer, in ref order.
pub(crate) struct Vectors {
    dimension: usize,
    exact: Float32Array,
    codes: Int8Array,
    scales: Float32Array,
}

impl Vectors {
    /// Writes the vectors, each of `dimension` numbers, as one record batch of three columns: `vector` (f32), `codes`
    /// (i8) and `scale` (f32); `vector` is about `codes` times `scale`.
    pub fn write(path: &Path, dimension: usize, vectors: &[Vec<f32>]) -> Result<(), ArrowError> {
        let mut codes = Vec::with_capacity(vectors.len() * dimension);
        let mut scales = Vec::with_capacity(vectors.len());
        for vector in vectors {
            let (vector_codes, scale) = quantise(vector);
            codes.extend(vector_codes);
            scales.push(scale);
        }
        let columns: Vec<ArrayRef> = vec![
            list(dimension, Arc::new(Float32Array::from_iter_values(vectors.iter().flatten().copied())))?,
            list(dimension, Arc::new(Int8Array::from(codes)))?,
            Arc::new(Float32Array::from(scales)),
        ];
        ipc::write(path, &RecordBatch::try_new(Arc::new(schema(dimension)?), columns)?)
    }

    /// Maps what [`Vectors::write`] wrote. Microseconds, whatever its size.
    pub fn open(path: &Path, dimension: usize) -> Result<Self, ArrowError> {
        let batch = ipc::open(path, &schema(dimension)?)?;
        let exact = ipc::column::<Float32Array>(ipc::column::<FixedSizeListArray>(batch.column(0))?.values())?.clone();
        let codes = ipc::column::<Int8Array>(ipc::column::<FixedSizeListArray>(batch.column(1))?.values())?.clone();
        let scales = ipc::column::<Float32Array>(batch.column(2))?.clone();
        Ok(Self { dimension, exact, codes, scales })
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Numbers in each vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// A row's vector.
    pub fn exact(&self, row: usize) -> &[f32] {
        let start = row * self.dimension;
        &self.exact.values()[start..start + self.dimension]
    }

    /// A row's 8-bit codes and their scale.
    pub fn codes(&self, row: usize) -> (&[i8], f32) {
        let start = row * self.dimension;
        (&self.codes.values()[start..start + self.dimension], self.scales.value(row))
    }
}

/// Rounds a vector to 8 bits a dimension, by its own largest number: codes and the scale that turns them back.
pub(super) fn quantise(vector: &[f32]) -> (Vec<i8>, f32) {
    let largest = vector.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return (vec![0; vector.len()], 0.0);
    }
    let scale = largest / 127.0;
    (vector.iter().map(|x| (x / scale).round() as i8).collect(), scale)
}

fn schema(dimension: usize) -> Result<Schema, ArrowError> {
    let list = |item| Ok::<_, ArrowError>(DataType::FixedSizeList(item_field(item), length(dimension)?));
    Ok(Schema::new(vec![
        Field::new("vector", list(DataType::Float32)?, false),
        Field::new("codes", list(DataType::Int8)?, false),
        Field::new("scale", DataType::Float32, false),
    ]))
}

fn list(dimension: usize, values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let item = item_field(values.data_type().clone());
    Ok(Arc::new(FixedSizeListArray::try_new(item, length(dimension)?, values, None)?))
}

fn item_field(kind: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", kind, false))
}

fn length(dimension: usize) -> Result<i32, ArrowError> {
    i32::try_from(dimension).map_err(|_| ArrowError::InvalidArgumentError(format!("{dimension} dimensions")))
}
