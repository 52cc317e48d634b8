// Opens messages with nothing but the JDK (17 or newer): java Open.java. Reads one task as JSON from standard input: `messages`, the
// service's `key`, our `signers`, its name as `recipient`, and `now`. Writes `{"opened": text}` or `{"refused": why}` for each.

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPrivateKey;
import java.security.spec.ECFieldFp;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPrivateKeySpec;
import java.security.spec.ECPublicKeySpec;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

public class Open {
    static final ECParameterSpec P256 = p256();

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> task = object(Json.read(new String(System.in.readAllBytes(), StandardCharsets.UTF_8)));
        Open desk = new Open(object(task.get("key")), object(task.get("signers")), text(task, "recipient"));
        Instant now = Instant.parse(text(task, "now"));
        StringBuilder results = new StringBuilder("[");
        for (Object message : (List<?>) task.get("messages")) {
            results.append(results.length() > 1 ? "," : "");
            try {
                String opened = desk.open((String) message, now);
                results.append("{\"opened\":").append(Json.quoted(opened));
            } catch (GeneralSecurityException | RuntimeException refused) {
                results.append("{\"refused\":").append(Json.quoted(String.valueOf(refused.getMessage())));
            }
            results.append("}");
        }
        System.out.write(results.append("]").toString().getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }

    private final ECPrivateKey key;
    private final String kid;
    private final List<?> signers;
    private final String recipient;

    Open(Map<String, Object> key, Map<String, Object> signers, String recipient) throws GeneralSecurityException {
        BigInteger scalar = new BigInteger(1, decode(text(key, "d")));
        this.key = (ECPrivateKey) KeyFactory.getInstance("EC").generatePrivate(new ECPrivateKeySpec(scalar, P256));
        this.kid = text(key, "kid");
        this.signers = (List<?>) signers.get("keys");
        this.recipient = recipient;
    }

    /** The CloudEvent inside a message, checked from the outside to the inside. */
    String open(String message, Instant now) throws GeneralSecurityException {
        byte[] signed = decrypt(message.split("\\.", -1));
        String payload = verify(new String(signed, StandardCharsets.US_ASCII).split("\\.", -1));
        Map<String, Object> event = object(Json.read(payload));
        require(recipient.equals(event.get("recipient")), "addressed to somebody else");
        require(Instant.parse(text(event, "expirytime")).isAfter(now), "expired");
        return payload;
    }

    /** Compact JWE (RFC 7516), ECDH-ES+A256KW and A256GCM only. */
    private byte[] decrypt(String[] parts) throws GeneralSecurityException {
        require(parts.length == 5, "not a compact JWE");
        Map<String, Object> header = object(Json.read(new String(decode(parts[0]), StandardCharsets.UTF_8)));
        require("ECDH-ES+A256KW".equals(header.get("alg")), "alg");
        require("A256GCM".equals(header.get("enc")), "enc");
        require(!header.containsKey("crit") && !header.containsKey("zip"), "crit or zip");
        require(kid.equals(header.get("kid")), "sealed to another key");
        KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
        agreement.init(key);
        agreement.doPhase(publicKey(object(header.get("epk"))), true);
        byte[] apu = decode(text(header, "apu"));
        byte[] apv = decode(text(header, "apv"));
        SecretKey wrapping = concatKdf(agreement.generateSecret(), "ECDH-ES+A256KW", apu, apv);
        Cipher unwrap = Cipher.getInstance("AESWrap");
        unwrap.init(Cipher.UNWRAP_MODE, wrapping);
        SecretKey content = (SecretKey) unwrap.unwrap(decode(parts[1]), "AES", Cipher.SECRET_KEY);
        byte[] tag = decode(parts[4]);
        require(content.getEncoded().length == 32 && tag.length == 16, "lengths");
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.DECRYPT_MODE, content, new GCMParameterSpec(128, decode(parts[2])));
        cipher.updateAAD(parts[0].getBytes(StandardCharsets.US_ASCII));
        byte[] sealed = decode(parts[3]);
        return cipher.doFinal(ByteBuffer.allocate(sealed.length + 16).put(sealed).put(tag).array());
    }

    /** Compact JWS (RFC 7515), ES256 only; the payload. */
    private String verify(String[] parts) throws GeneralSecurityException {
        require(parts.length == 3, "not a compact JWS");
        Map<String, Object> header = object(Json.read(new String(decode(parts[0]), StandardCharsets.UTF_8)));
        require("ES256".equals(header.get("alg")) && !header.containsKey("crit"), "alg of the signature");
        for (Object known : signers) {
            Map<String, Object> signer = object(known);
            if (!text(signer, "kid").equals(header.get("kid"))) continue;
            Signature signature = Signature.getInstance("SHA256withECDSAinP1363Format");
            signature.initVerify(publicKey(signer));
            signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
            require(signature.verify(decode(parts[2])), "the signature is wrong");
            return new String(decode(parts[1]), StandardCharsets.UTF_8);
        }
        throw new GeneralSecurityException("unknown signer");
    }

    /** RFC 7518 §4.6.2, one round. */
    private static SecretKey concatKdf(byte[] secret, String algorithm, byte[] apu, byte[] apv)
            throws GeneralSecurityException {
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        hash.update(number(1));
        hash.update(secret);
        for (byte[] part : new byte[][] {algorithm.getBytes(StandardCharsets.US_ASCII), apu, apv}) {
            hash.update(number(part.length));
            hash.update(part);
        }
        hash.update(number(256));
        return new SecretKeySpec(hash.digest(), "AES");
    }

    private static byte[] number(int value) {
        return ByteBuffer.allocate(4).putInt(value).array();
    }

    private static ECParameterSpec p256() {
        try {
            AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
            parameters.init(new ECGenParameterSpec("secp256r1"));
            return parameters.getParameterSpec(ECParameterSpec.class);
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** A point that is not on the curve would give the private key away, so it is looked at first. */
    private static PublicKey publicKey(Map<String, Object> jwk) throws GeneralSecurityException {
        require("EC".equals(jwk.get("kty")) && "P-256".equals(jwk.get("crv")), "curve");
        BigInteger x = new BigInteger(1, decode(text(jwk, "x")));
        BigInteger y = new BigInteger(1, decode(text(jwk, "y")));
        BigInteger p = ((ECFieldFp) P256.getCurve().getField()).getP();
        BigInteger right = x.pow(3).add(P256.getCurve().getA().multiply(x)).add(P256.getCurve().getB());
        require(x.compareTo(p) < 0 && y.compareTo(p) < 0, "point");
        require(y.pow(2).subtract(right).mod(p).signum() == 0, "point");
        return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(new ECPoint(x, y), P256));
    }

    private static byte[] decode(String text) {
        return Base64.getUrlDecoder().decode(text);
    }

    private static void require(boolean holds, String otherwise) throws GeneralSecurityException {
        if (!holds) throw new GeneralSecurityException(otherwise);
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        if (value instanceof Map) return (Map<String, Object>) value;
        throw new IllegalArgumentException("not an object");
    }

    private static String text(Map<String, Object> object, String member) {
        if (object.get(member) instanceof String text) return text;
        throw new IllegalArgumentException(member + " is missing");
    }

    /** As much of JSON (RFC 8259) as it takes; the JDK has none. A member that comes twice is refused. */
    static final class Json {
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        static Object read(String text) {
            Json json = new Json(text);
            Object value = json.value(0);
            json.space();
            if (json.at != text.length()) throw json.wrong();
            return value;
        }

        static String quoted(String text) {
            StringBuilder out = new StringBuilder("\"");
            for (char letter : text.toCharArray()) {
                if (letter == '"' || letter == '\\') out.append('\\').append(letter);
                else if (letter < 0x20) out.append(String.format("\\u%04x", (int) letter));
                else out.append(letter);
            }
            return out.append('"').toString();
        }

        private Object value(int depth) {
            space();
            if (depth > 32 || at >= text.length()) throw wrong();
            switch (text.charAt(at)) {
                case '{': {
                    Map<String, Object> object = new LinkedHashMap<>();
                    at++;
                    for (boolean more = !closes('}'); more; more = continues('}')) {
                        space();
                        String name = string();
                        space();
                        if (text.charAt(at++) != ':' || object.containsKey(name)) throw wrong();
                        object.put(name, value(depth + 1));
                    }
                    return object;
                }
                case '[': {
                    List<Object> list = new ArrayList<>();
                    at++;
                    for (boolean more = !closes(']'); more; more = continues(']')) list.add(value(depth + 1));
                    return list;
                }
                case '"':
                    return string();
                default: {
                    int start = at;
                    while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
                    String word = text.substring(start, at);
                    if (word.equals("null")) return null;
                    if (word.equals("true") || word.equals("false")) return word.equals("true");
                    return Double.valueOf(word);
                }
            }
        }

        private String string() {
            StringBuilder out = new StringBuilder();
            if (text.charAt(at++) != '"') throw wrong();
            for (char letter = text.charAt(at++); letter != '"'; letter = text.charAt(at++)) {
                if (letter != '\\') {
                    out.append(letter);
                    continue;
                }
                char escape = text.charAt(at++);
                int plain = "bfnrt".indexOf(escape);
                if (escape == 'u') {
                    out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                    at += 4;
                } else out.append(plain < 0 ? escape : "\b\f\n\r\t".charAt(plain));
            }
            return out.toString();
        }

        private boolean closes(char end) {
            space();
            if (at < text.length() && text.charAt(at) == end) {
                at++;
                return true;
            }
            return false;
        }

        private boolean continues(char end) {
            if (closes(end)) return false;
            if (at >= text.length() || text.charAt(at++) != ',') throw wrong();
            return true;
        }

        private void space() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
        }

        private IllegalArgumentException wrong() {
            return new IllegalArgumentException("not JSON");
        }
    }
}
