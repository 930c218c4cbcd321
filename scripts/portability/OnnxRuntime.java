import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import java.io.DataOutputStream;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;

/** Runs a model: java -cp onnxruntime.jar OnnxRuntime.java model.onnx (IN OUT)... with IN and OUT as in adapters.py. */
public class OnnxRuntime {
    public static void main(String[] args) throws Exception {
        var env = OrtEnvironment.getEnvironment();
        var session = env.createSession(args[0]);
        for (int i = 1; i < args.length; i += 2) {
            var feed = new HashMap<String, OnnxTensor>();
            for (var file : new File(args[i]).listFiles()) {
                var part = file.getName().split("\\.");
                var bytes = ByteBuffer.wrap(Files.readAllBytes(file.toPath())).order(ByteOrder.LITTLE_ENDIAN);
                long[] shape = Arrays.stream(part[3].split("x")).mapToLong(Long::parseLong).toArray();
                feed.put(part[1], part[2].equals("int64")
                        ? OnnxTensor.createTensor(env, bytes.asLongBuffer(), shape)
                        : OnnxTensor.createTensor(env, bytes.asFloatBuffer(), shape));
            }
            try (var out = new DataOutputStream(Files.newOutputStream(Path.of(args[i + 1])))) {
                for (var output : session.run(feed)) {
                    var values = ((OnnxTensor) output.getValue()).getFloatBuffer();
                    while (values.hasRemaining()) {
                        out.writeInt(Integer.reverseBytes(Float.floatToRawIntBits(values.get())));
                    }
                }
            }
        }
    }
}
