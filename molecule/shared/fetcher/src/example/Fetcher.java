// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package example;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Fetches a list of files over HTTP every few seconds and writes them into a directory: a program of which one may run,
 * on one of two nodes. It is no web application, and is asked over HTTP only whether it is well.
 *
 * <p>With --evidence it writes down that it works, every 20 ms, in lines of KIND RUN NUMBER WALL MONOTONIC (both in
 * nanoseconds): what is in there, this program did, whatever anybody else thinks who runs where. lab/evidence.py reads
 * it.
 *
 * <p>In its directory, the file "written" has a line for each file: RUN ROUND WALL NAME BYTES.
 */
public final class Fetcher {
  // The build writes it.
  private static final String VERSION = "@VERSION@";

  private static final long BEAT_MILLIS = 20;
  private static final int FETCH_TIMEOUT_MILLIS = 2000;
  private static final Set<String> OPTIONS =
      new LinkedHashSet<>(
          Arrays.asList(
              "--source",
              "--files",
              "--directory",
              "--interval",
              "--port",
              "--node",
              "--evidence",
              "--rounds",
              "--start-delay",
              "--fail-file"));

  private final Map<String, String> options;
  private final String node;
  private final String pid;
  private final Instant started = Instant.now();
  private final String run;
  private final Path directory;
  private FileOutputStream evidence;
  private long beats;
  private boolean ended;
  private volatile boolean ready;

  private Fetcher(Map<String, String> options) throws IOException {
    this.options = options;
    node = option("--node", "FETCHER_NODE", hostname());
    // What Java 8 has for it loads half of the management classes first.
    pid = new File("/proc/self").getCanonicalFile().getName();
    run = node + "-" + pid + "-" + started.toEpochMilli();
    directory = Paths.get(option("--directory", "FETCHER_DIRECTORY", "."));
  }

  /** Runs until it is told to end; exits with 1 when it cannot start, and with 2 for options that make no sense. */
  public static void main(String[] words) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (int place = 0; place < words.length; place += 2) {
      if (!OPTIONS.contains(words[place]) || place + 1 == words.length) {
        System.err.println(words[place] + ": is no option with a value; the options are " + OPTIONS);
        System.exit(2);
      }
      options.put(words[place], words[place + 1]);
    }
    new Fetcher(options).start();
  }

  private void start() throws Exception {
    openEvidence();
    beat("start");
    Runtime.getRuntime().addShutdownHook(new Thread(this::end, "end"));
    File reason = new File(option("--fail-file", "FETCHER_FAIL_FILE", "/run/fetcher.fail"));
    if (reason.exists()) {
      fail(reason + ": is there, so this does not start");
    }
    if (!Files.isDirectory(directory) || !Files.isWritable(directory)) {
      fail(directory + ": is no directory that this account may write to");
    }
    if (VERSION.startsWith("broken")) {
      fail("version " + VERSION + ": ends as soon as it was started");
    }
    Thread.sleep((long) (1000 * Double.parseDouble(option("--start-delay", "FETCHER_START_DELAY", "0"))));
    serve();
    Thread beating = new Thread(this::beatOn, "beat");
    beating.setPriority(Thread.MAX_PRIORITY);
    beating.setDaemon(true);
    beating.start();
    ready = true;
    System.out.println("version " + VERSION + " works on " + node);
    fetchOn();
  }

  private static void fail(String why) {
    System.err.println(why);
    System.exit(1);
  }

  private static String hostname() throws IOException {
    return new String(Files.readAllBytes(Paths.get("/proc/sys/kernel/hostname")), StandardCharsets.US_ASCII).trim();
  }

  private String option(String name, String variable, String otherwise) {
    String given = options.containsKey(name) ? options.get(name) : System.getenv(variable);
    return given == null || given.isEmpty() ? otherwise : given;
  }

  // What proves that it works

  private void openEvidence() throws IOException {
    String file = option("--evidence", "FETCHER_EVIDENCE", "");
    if (!file.isEmpty()) {
      evidence = new FileOutputStream(file, true);
    }
  }

  private void beatOn() {
    try {
      // From one time to the next: the time that a line takes does not add up.
      long next = System.nanoTime();
      while (true) {
        beat("beat");
        next = Math.max(next + BEAT_MILLIS * 1_000_000, System.nanoTime() - BEAT_MILLIS * 1_000_000);
        Thread.sleep(Math.max(1, (next - System.nanoTime()) / 1_000_000));
      }
    } catch (InterruptedException exception) {
      Thread.currentThread().interrupt();
    } catch (IOException exception) {
      // A program that works and cannot prove it would be missed by who counts.
      System.err.println("evidence: " + exception);
      Runtime.getRuntime().halt(3);
    }
  }

  private synchronized void beat(String kind) throws IOException {
    if (evidence == null || ended) {
      return;
    }
    ended = kind.equals("end");
    Instant now = Instant.now();
    String line = kind + " " + run + " " + beats++ + " " + nanos(now) + " " + System.nanoTime() + "\n";
    // One call each, so that a kill leaves whole lines; the file outlives this process and its container.
    evidence.write(line.getBytes(StandardCharsets.US_ASCII));
  }

  private void end() {
    try {
      beat("end");
    } catch (IOException exception) {
      System.err.println("evidence: " + exception);
    }
  }

  private static long nanos(Instant time) {
    return time.getEpochSecond() * 1_000_000_000L + time.getNano();
  }

  // Its work

  private void fetchOn() throws InterruptedException {
    String source = option("--source", "FETCHER_SOURCE", "");
    long pause = (long) (1000 * Double.parseDouble(option("--interval", "FETCHER_INTERVAL", "60")));
    // Without end, unless somebody only wants to see it start and work, such as a JVM that notes the classes it loads.
    long rounds = Long.parseLong(option("--rounds", "FETCHER_ROUNDS", String.valueOf(Long.MAX_VALUE)));
    for (long round = 1; round <= rounds; round++) {
      for (String name : option("--files", "FETCHER_FILES", "").split(",")) {
        if (source.isEmpty() || name.isEmpty()) {
          continue;
        }
        try {
          int size = fetch(source, name);
          String line = run + " " + round + " " + nanos(Instant.now()) + " " + name + " " + size + "\n";
          try (FileOutputStream written = new FileOutputStream(directory.resolve("written").toFile(), true)) {
            written.write(line.getBytes(StandardCharsets.UTF_8));
          }
        } catch (IOException exception) {
          // The next round asks again; a source that is gone is no reason to end.
          System.err.println(source + name + ": " + exception);
        }
      }
      if (round < rounds) {
        Thread.sleep(pause);
      }
    }
    System.exit(0);
  }

  private int fetch(String source, String name) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) new URL(source + name).openConnection();
    connection.setConnectTimeout(FETCH_TIMEOUT_MILLIS);
    connection.setReadTimeout(FETCH_TIMEOUT_MILLIS);
    if (connection.getResponseCode() != 200) {
      throw new IOException("answers " + connection.getResponseCode());
    }
    Path temporary = directory.resolve("." + name + ".part");
    try (InputStream content = connection.getInputStream()) {
      Files.copy(content, temporary, StandardCopyOption.REPLACE_EXISTING);
    }
    int size = (int) Files.size(temporary);
    // Whoever looks finds the old file or the new one, and never half of one.
    Files.move(temporary, directory.resolve(name), StandardCopyOption.ATOMIC_MOVE);
    return size;
  }

  // What others ask

  private void serve() throws IOException {
    int port = Integer.parseInt(option("--port", "FETCHER_PORT", "8081"));
    HttpServer server = HttpServer.create(new InetSocketAddress(port), 50);
    server.createContext("/health", exchange -> answer(exchange, ready ? 200 : 503, ready ? "ready" : "starts"));
    server.createContext("/", exchange -> answer(exchange, 200, about()));
    server.start();
  }

  private String about() {
    return "version " + VERSION + " on " + node + ", pid " + pid + ", started " + started;
  }

  private void answer(HttpExchange exchange, int status, String text) throws IOException {
    byte[] content = (text + "\n").getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    exchange.getResponseHeaders().set("X-HA-Pair-Node", node);
    exchange.sendResponseHeaders(status, content.length);
    try (OutputStream body = exchange.getResponseBody()) {
      body.write(content);
    }
  }
}
