use portability::{Result, Values, serve};
use rten::{Model, Value};
use rten_tensor::prelude::*;
use rten_tensor::Tensor;

fn main() -> Result<()> {
    serve(|path, inputs| {
        let model = Model::load_file(path)?;
        let mut feed = vec![];
        for x in inputs {
            let value: Value = match x.values {
                Values::Float(v) => Tensor::from_data(&x.shape[..], v).into(),
                // RTen has no int64.
                Values::Int(v) => Tensor::from_data(&x.shape[..], v.iter().map(|&n| n as i32).collect::<Vec<_>>()).into(),
            };
            feed.push((model.node_id(&x.name)?, value.into()));
        }
        let mut values = vec![];
        for output in model.run(feed, model.output_ids(), None)? {
            let output: Tensor<f32> = output.try_into()?;
            values.extend(output.to_vec());
        }
        Ok(values)
    })
}
