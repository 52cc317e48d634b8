// Reads what was published to a recipient, with Kafka's own client and Open.java: everything there is, oldest first, one opened
// CloudEvent a line, or {"tombstone": KEY} where a list entry ended. With kafka-clients and slf4j-api beside it:
//
//   javac -cp 'libs/*' *.java
//   java -cp 'libs/*:.' Read client.properties idva idva.jwk.json signing.jwks.json alerts.idva.v1 list.idva.v1
//
// client.properties holds bootstrap.servers and how to log in. A service keeps the offsets of what it has acted on, and begins there.

import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Read {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        try (Reader file = Files.newBufferedReader(Path.of(arguments[0]))) {
            settings.load(file);
        }
        // What an interrupted transaction left behind was never said. Positions are kept here and not by a group.
        settings.put("isolation.level", "read_committed");
        settings.put("enable.auto.commit", "false");
        Open desk = new Open(json(arguments[2]), json(arguments[3]), arguments[1]);
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
            for (String topic : List.of(arguments).subList(4, arguments.length)) {
                List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                        .map(partition -> new TopicPartition(topic, partition.partition())).toList();
                consumer.assign(partitions);
                consumer.seekToBeginning(partitions);
                Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
                while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                        take(desk, record);
                    }
                }
            }
        }
    }

    /** Acts on one record. What cannot be opened or does not verify is not acted on. */
    private static void take(Open desk, ConsumerRecord<byte[], byte[]> record) {
        if (record.value() == null) {
            System.out.println("{\"tombstone\":\"" + new String(record.key(), StandardCharsets.UTF_8) + "\"}");
            return;
        }
        try {
            System.out.println(desk.open(new String(record.value(), StandardCharsets.US_ASCII), Instant.now()));
        } catch (GeneralSecurityException | RuntimeException refused) {
            System.err.println(record.topic() + " offset " + record.offset() + ": refused, " + refused.getMessage());
        }
    }

    private static Map<String, Object> json(String file) throws Exception {
        return Open.object(Open.Json.read(Files.readString(Path.of(file))));
    }
}
