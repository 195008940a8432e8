// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package example;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import javax.naming.InitialContext;
import javax.naming.NamingException;
import javax.servlet.ServletException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.servlet.http.HttpSession;

/**
 * What the scenarios ask: which version answers and on which node, a counter in a session, a slow answer, an error, and
 * a POST that tells whether anybody repeated it.
 */
public class Counter extends HttpServlet {
  private static final long serialVersionUID = 1L;
  // The build writes it.
  private static final String VERSION = "@VERSION@";

  // How often each id came; of this node, and as long as it runs. With -Dlab.posts=FILE, a path from catalina.base, also
  // what came before a restart.
  private final transient Map<String, AtomicInteger> posts = remembered();

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
    switch (path(request)) {
      case "/":
        answer(response, 200, "version " + VERSION + " on " + node());
        break;
      case "/health":
        // A release that is to fail says so in its version.
        answer(response, VERSION.startsWith("broken") ? 503 : 200, node());
        break;
      case "/count":
        count(request, response);
        break;
      case "/slow":
        pause(request);
        answer(response, 200, "slept on " + node());
        break;
      case "/fail":
        answer(response, 500, "failed on " + node());
        break;
      case "/post":
        report(response);
        break;
      case "/posts":
        list(response);
        break;
      case "/client":
        answer(response, 200, request.getRemoteAddr() + " by " + request.getScheme());
        break;
      case "/forwarded":
        answer(
            response, 200, request.getHeader("X-Forwarded-Host") + " port " + request.getHeader("X-Forwarded-Port"));
        break;
      default:
        answer(response, 404, "nothing is here");
    }
  }

  @Override
  protected void doPost(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
    if (!"/post".equals(path(request))) {
      answer(response, 404, "nothing is here");
      return;
    }
    String id = String.valueOf(request.getParameter("id"));
    // Counted first: what is slow below is cut off, and may be repeated, after it had its effect.
    int times = posts.computeIfAbsent(id, unused -> new AtomicInteger()).incrementAndGet();
    remember(id);
    pause(request);
    answer(response, 200, id + " " + times + " " + node());
  }

  private void count(HttpServletRequest request, HttpServletResponse response) throws IOException {
    HttpSession session = request.getSession(true);
    Object before = session.getAttribute("count");
    int now = before instanceof Integer ? (Integer) before + 1 : 1;
    // Set anew each time: whoever replicates sessions sees only this.
    session.setAttribute("count", now);
    answer(response, 200, now + " " + node() + " " + VERSION);
  }

  private void report(HttpServletResponse response) throws IOException {
    int requests = 0;
    int repeated = 0;
    for (AtomicInteger times : posts.values()) {
      requests += times.get();
      repeated += times.get() > 1 ? 1 : 0;
    }
    answer(response, 200, posts.size() + " ids, " + requests + " requests, " + repeated + " repeated on " + node());
  }

  /** Each id and how often it came: another node may have had one of them as well. */
  private void list(HttpServletResponse response) throws IOException {
    StringBuilder text = new StringBuilder();
    for (Map.Entry<String, AtomicInteger> post : posts.entrySet()) {
      text.append(post.getKey()).append(' ').append(post.getValue()).append('\n');
    }
    answer(response, 200, text.toString());
  }

  private static Path memory() {
    String file = System.getProperty("lab.posts");
    return file == null ? null : Paths.get(System.getProperty("catalina.base")).resolve(file);
  }

  private static Map<String, AtomicInteger> remembered() {
    Map<String, AtomicInteger> found = new ConcurrentHashMap<>();
    Path memory = memory();
    if (memory == null || !Files.exists(memory)) {
      return found;
    }
    try {
      for (String id : Files.readAllLines(memory, StandardCharsets.UTF_8)) {
        found.computeIfAbsent(id, unused -> new AtomicInteger()).incrementAndGet();
      }
    } catch (IOException exception) {
      throw new UncheckedIOException(exception);
    }
    return found;
  }

  private static void remember(String id) throws IOException {
    Path memory = memory();
    if (memory != null) {
      byte[] line = (id + "\n").getBytes(StandardCharsets.UTF_8);
      Files.write(memory, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
  }

  private static String path(HttpServletRequest request) {
    String path = request.getServletPath() + (request.getPathInfo() == null ? "" : request.getPathInfo());
    return path.isEmpty() ? "/" : path;
  }

  private static void pause(HttpServletRequest request) {
    String given = request.getParameter("ms");
    try {
      Thread.sleep(given == null ? 0 : Math.min(Long.parseLong(given), 60_000));
    } catch (InterruptedException exception) {
      Thread.currentThread().interrupt();
    }
  }

  /** The name that the descriptor gives, else the machine's. */
  static String node() throws IOException {
    try {
      return String.valueOf(new InitialContext().lookup("java:comp/env/node"));
    } catch (NamingException exception) {
      return InetAddress.getLocalHost().getHostName();
    }
  }

  private static void answer(HttpServletResponse response, int status, String text) throws IOException {
    response.setStatus(status);
    response.setContentType("text/plain;charset=UTF-8");
    response.setHeader("Cache-Control", "no-store");
    response.getWriter().print(text + "\n");
  }
}
