use portability::{Result, Values, serve};
use tract_onnx::prelude::*;

fn main() -> Result<()> {
    serve(|path, inputs| {
        // As it is, with a symbol for the batch.
        let model = tract_onnx::onnx().model_for_path(path)?.into_optimized()?.into_runnable()?;
        let mut feed = tvec![];
        for x in inputs {
            let value = match x.values {
                Values::Float(v) => Tensor::from_shape(&x.shape, &v)?,
                Values::Int(v) => Tensor::from_shape(&x.shape, &v)?,
            };
            feed.push(value.into_tvalue());
        }
        let mut values = vec![];
        for output in model.run(feed)? {
            values.extend(output.to_plain_array_view::<f32>()?);
        }
        Ok(values)
    })
}
