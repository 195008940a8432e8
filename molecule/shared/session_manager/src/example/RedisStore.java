// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package example;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import org.apache.catalina.Session;
import org.apache.catalina.session.StandardSession;
import org.apache.catalina.session.StoreBase;

/** Sessions in whichever Redis is primary. */
public class RedisStore extends StoreBase {
  private static final String PREFIX = "session:";
  private static final String SECONDS = "3600";
  private static final int CONNECT_MILLISECONDS = 500;
  private static final int READ_MILLISECONDS = 1500;
  // How long a request waits for a primary: a failover takes some seconds.
  private static final long PATIENCE_NANOSECONDS = 8_000_000_000L;
  private static final long PAUSE_MILLISECONDS = 100;
  // How long an answer waits for the replica; without one it is given all the same.
  private static final String WAIT_MILLISECONDS = "1000";

  private final String[] endpoints;
  private final String password;

  RedisStore(String[] endpoints, String password) {
    this.endpoints = endpoints;
    this.password = password;
  }

  @Override
  public int getSize() {
    return 0;
  }

  /** None: Redis itself forgets what is old. */
  @Override
  public String[] keys() {
    return new String[0];
  }

  @Override
  public Session load(String id) throws ClassNotFoundException, IOException {
    byte[] found;
    try (Connection redis = primary()) {
      found = (byte[]) redis.ask("GET", PREFIX + id);
    } catch (IOException exception) {
      // No exception: after one, Tomcat would go on as if there were no such session, and begin another.
      throw new Error("the session cannot be read", exception);
    }
    if (found == null) {
      return null;
    }
    try (ObjectInputStream stream = getObjectInputStream(new ByteArrayInputStream(found))) {
      StandardSession session = (StandardSession) manager.createEmptySession();
      session.readObjectData(stream);
      session.setManager(manager);
      return session;
    }
  }

  @Override
  public void save(Session session) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream stream = new ObjectOutputStream(bytes)) {
      ((StandardSession) session).writeObjectData(stream);
    }
    try (Connection redis = primary()) {
      redis.ask("SET", PREFIX + session.getIdInternal(), bytes.toByteArray(), "EX", SECONDS);
      redis.ask("WAIT", "1", WAIT_MILLISECONDS);
    } catch (IOException exception) {
      // No exception here either: Tomcat would log it, and answer as if the session were kept.
      throw new Error("the session cannot be written", exception);
    }
  }

  @Override
  public void remove(String id) throws IOException {
    try (Connection redis = primary()) {
      redis.ask("DEL", PREFIX + id);
    }
  }

  @Override
  public void clear() {}

  private Connection primary() throws IOException {
    long until = System.nanoTime() + PATIENCE_NANOSECONDS;
    while (true) {
      try {
        return ask();
      } catch (IOException exception) {
        if (System.nanoTime() > until) {
          throw exception;
        }
      }
      try {
        Thread.sleep(PAUSE_MILLISECONDS);
      } catch (InterruptedException exception) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted", exception);
      }
    }
  }

  private Connection ask() throws IOException {
    IOException last = new IOException("no Redis is given");
    for (String endpoint : endpoints) {
      Connection redis = null;
      try {
        redis = new Connection(endpoint);
        redis.ask("AUTH", password);
        Object[] role = (Object[]) redis.ask("ROLE");
        if ("master".equals(new String((byte[]) role[0], StandardCharsets.US_ASCII))) {
          return redis;
        }
        last = new IOException(endpoint + " is a replica");
      } catch (IOException exception) {
        last = exception;
      }
      if (redis != null) {
        redis.close();
      }
    }
    throw last;
  }

  /** A connection that speaks the protocol of Redis. */
  private static final class Connection implements AutoCloseable {
    private final Socket socket = new Socket();
    private final InputStream input;
    private final OutputStream output;

    Connection(String endpoint) throws IOException {
      int colon = endpoint.lastIndexOf(':');
      int port = Integer.parseInt(endpoint.substring(colon + 1));
      try {
        socket.setSoTimeout(READ_MILLISECONDS);
        socket.connect(new InetSocketAddress(endpoint.substring(0, colon), port), CONNECT_MILLISECONDS);
        input = new BufferedInputStream(socket.getInputStream());
        output = new BufferedOutputStream(socket.getOutputStream());
      } catch (IOException exception) {
        socket.close();
        throw exception;
      }
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }

    /** The answer: bytes, a number, null, or an array of these. */
    Object ask(Object... words) throws IOException {
      output.write(("*" + words.length + "\r\n").getBytes(StandardCharsets.US_ASCII));
      for (Object word : words) {
        byte[] bytes = word instanceof byte[] ? (byte[]) word : ((String) word).getBytes(StandardCharsets.UTF_8);
        output.write(("$" + bytes.length + "\r\n").getBytes(StandardCharsets.US_ASCII));
        output.write(bytes);
        output.write(new byte[] {'\r', '\n'});
      }
      output.flush();
      return answer();
    }

    private Object answer() throws IOException {
      String line = line();
      String rest = line.substring(1);
      switch (line.charAt(0)) {
        case '+':
          return rest.getBytes(StandardCharsets.UTF_8);
        case '-':
          throw new IOException(rest);
        case ':':
          return Long.valueOf(rest);
        case '$':
          return bulk(Integer.parseInt(rest));
        case '*':
          Object[] found = new Object[Integer.parseInt(rest)];
          for (int place = 0; place < found.length; place++) {
            found[place] = answer();
          }
          return found;
        default:
          throw new IOException("that is no Redis");
      }
    }

    private byte[] bulk(int size) throws IOException {
      if (size < 0) {
        return null;
      }
      byte[] found = new byte[size];
      for (int place = 0; place < size; place++) {
        found[place] = (byte) octet();
      }
      octet();
      octet();
      return found;
    }

    private String line() throws IOException {
      StringBuilder found = new StringBuilder();
      for (int octet = octet(); octet != '\r'; octet = octet()) {
        found.append((char) octet);
      }
      octet();
      return found.toString();
    }

    private int octet() throws IOException {
      int octet = input.read();
      if (octet < 0) {
        throw new EOFException("Redis closed the connection");
      }
      return octet;
    }
  }
}
