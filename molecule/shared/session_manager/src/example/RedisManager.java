// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package example;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Properties;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.session.PersistentManagerBase;
import org.apache.catalina.valves.PersistentValve;

/**
 * A session manager for the scenarios: every request reads its session from Redis and is answered once the replica has
 * it. For tests, not for production: it opens a connection for each.
 */
public class RedisManager extends PersistentManagerBase {
  private String configPath;

  /** A file of properties: endpoints (host:port, separated by spaces) and password. */
  public void setConfigPath(String configPath) {
    this.configPath = configPath;
  }

  @Override
  protected void startInternal() throws LifecycleException {
    Properties given = new Properties();
    try (InputStream source = Files.newInputStream(Paths.get(configPath))) {
      given.load(source);
    } catch (IOException exception) {
      throw new UncheckedIOException(configPath, exception);
    }
    setStore(new RedisStore(given.getProperty("endpoints").split(" "), given.getProperty("password")));
    super.startInternal();
  }

  /** Before the context starts: then Tomcat adds its authenticator, which would take the session ahead of the valve. */
  @Override
  public void setContext(Context context) {
    super.setContext(context);
    if (context != null) {
      context.getPipeline().addValve(new PersistentValve());
    }
  }
}
