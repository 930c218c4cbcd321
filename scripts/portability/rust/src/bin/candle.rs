use candle_core::{Device, Tensor};
use portability::{Result, Values, serve};

fn main() -> Result<()> {
    serve(|path, inputs| {
        let model = candle_onnx::read_file(path)?;
        let mut feed = std::collections::HashMap::new();
        for x in inputs {
            let value = match x.values {
                Values::Float(v) => Tensor::from_vec(v, x.shape, &Device::Cpu)?,
                Values::Int(v) => Tensor::from_vec(v, x.shape, &Device::Cpu)?,
            };
            feed.insert(x.name, value);
        }
        let graph = model.graph.as_ref().ok_or("no graph")?;
        let outputs = candle_onnx::simple_eval(&model, feed)?;
        let mut values = vec![];
        for output in &graph.output {
            values.extend(outputs[&output.name].flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(values)
    })
}
