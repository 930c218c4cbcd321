import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.TensorInfo;
import java.awt.image.BufferedImage;
import java.io.File;
import java.nio.FloatBuffer;
import java.util.Map;
import javax.imageio.ImageIO;

/** Draws 64 digits: java -cp onnxruntime-1.29.0.jar Digits.java generator.onnx digits.png [SEED] */
public class Digits {
    public static void main(String[] args) throws Exception {
        long seed = args.length > 2 ? Long.parseLong(args[2]) : 1;
        var env = OrtEnvironment.getEnvironment();
        try (var session = env.createSession(args[0])) {
            int size = (int) ((TensorInfo) session.getInputInfo().get("z").getInfo()).getShape()[1];
            var z = FloatBuffer.allocate(64 * size);
            for (int i = 0; i < 64; i++) {
                noise(z, seed, i, size);
            }
            try (var input = OnnxTensor.createTensor(env, z.rewind(), new long[] {64, size});
                    var results = session.run(Map.of("z", input))) {
                var images = (float[][][][]) results.get("image").get().getValue(); // [64][1][28][28] in [-1, 1]
                ImageIO.write(grid(images), "png", new File(args[1]));
            }
        }
    }

    /** Lays 8 times 8 pictures out, each pixel a square of four, with lines of two between pictures. */
    static BufferedImage grid(float[][][][] images) {
        int h = 2 * images[0][0].length, w = 2 * images[0][0][0].length;
        var grid = new BufferedImage(8 * (w + 2) + 2, 8 * (h + 2) + 2, BufferedImage.TYPE_BYTE_GRAY);
        for (int y = 0; y < grid.getHeight(); y++) {
            for (int x = 0; x < grid.getWidth(); x++) {
                int row = y / (h + 2), column = x / (w + 2), dy = y % (h + 2) - 2, dx = x % (w + 2) - 2;
                int level = 128;
                if (dy >= 0 && dx >= 0) {
                    level = (int) Math.floor((images[8 * row + column][0][dy / 2][dx / 2] + 1) * 127.5 + 0.5);
                }
                grid.getRaster().setSample(x, y, 0, level);
            }
        }
        return grid;
    }

    /** Appends the latent vector of a picture, as `ganinfer generate` draws it. */
    static void noise(FloatBuffer z, long seed, long image, int size) {
        for (int i = 0; i < size; i++) {
            long word = philox(seed, image, i / 4 + 1)[i % 4];
            z.put((float) normal(((word >>> 12) + 0.5) * 0x1p-52));
        }
    }

    /** Four random words: a block of a picture's noise. */
    static long[] philox(long seed, long image, long block) {
        long a = 0xD2E7470EE14C6C93L, b = 0xCA5A826395121157L;
        long c0 = block, c1 = 0, c2 = image, c3 = 0, k0 = seed, k1 = 0;
        for (int round = 0; round < 10; round++) {
            long p = a * c0, q = b * c2;
            long pHigh = Math.multiplyHigh(a, c0) + c0 + ((c0 >> 63) & a); // as of unsigned numbers
            long qHigh = Math.multiplyHigh(b, c2) + c2 + ((c2 >> 63) & b);
            c0 = qHigh ^ c1 ^ k0;
            c1 = q;
            c2 = pHigh ^ c3 ^ k1;
            c3 = p;
            k0 += 0x9E3779B97F4A7C15L;
            k1 += 0xBB67AE8584CAA73BL;
        }
        return new long[] {c0, c1, c2, c3};
    }

    static final double[] MIDDLE = {
        2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4,
        -1.25372503e-3, -4.17768164e-3, 0.246640727, 1.50140941,
    };
    static final double[] TAIL = {
        -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3,
        -7.6224613e-3, 9.43887047e-3, 1.00167406, 2.83297682,
    };

    /** Maps u in (0, 1) to a standard normal value (Giles 2012, "Approximating the erfinv function"). */
    static double normal(double u) {
        double w = -Math.log(4 * u * (1 - u));
        double x = w < 5 ? w - 2.5 : Math.sqrt(w) - 3, sum = 0;
        for (double c : w < 5 ? MIDDLE : TAIL) {
            sum = sum * x + c;
        }
        return Math.sqrt(2) * (2 * u - 1) * sum;
    }
}
