// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package javax.servlet.http;

/** Declared for the compiler only, see tools/war.sh. */
public interface HttpServletRequest {
  String getHeader(String name);

  String getParameter(String name);

  String getPathInfo();

  String getRemoteAddr();

  String getScheme();

  String getServletPath();

  HttpSession getSession(boolean create);
}
