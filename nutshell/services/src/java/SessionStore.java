package nutshell;

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
import java.util.concurrent.ConcurrentLinkedQueue;

import org.apache.catalina.Context;
import org.apache.catalina.Session;
import org.apache.catalina.session.StandardSession;
import org.apache.catalina.session.StoreBase;

/**
 * Keeps sessions in Redis: each request finds there what the one before has left, whichever Tomcat
 * that was. Redis lets go of them itself when their time is over, so there is nothing to look through.
 */
public final class SessionStore extends StoreBase {
    private static final int PATIENCE_MILLISECONDS = 5_000;
    private static final int LONGEST_SECONDS = 30 * 24 * 3600;

    private final ConcurrentLinkedQueue<Connection> idle = new ConcurrentLinkedQueue<>();
    private String host;
    private int port;
    private String password;

    public void setHost(String host) {
        this.host = host;
    }

    public void setPort(int port) {
        this.port = port;
    }

    public void setPassword(String password) {
        this.password = password;
    }

    @Override
    public String getStoreName() {
        return "redis";
    }

    @Override
    public int getSize() {
        return 0;
    }

    @Override
    public String[] keys() {
        return new String[0];
    }

    @Override
    public void clear() {
        // What other Tomcats have left is theirs too.
    }

    @Override
    public Session load(String id) throws ClassNotFoundException, IOException {
        byte[] data = ask(bytes("GET"), key(id));
        if (data == null) {
            return null;
        }
        Context context = getManager().getContext();
        ClassLoader before = context.bind(false, null);
        try (ObjectInputStream in = getObjectInputStream(new ByteArrayInputStream(data))) {
            StandardSession session = (StandardSession) getManager().createEmptySession();
            session.readObjectData(in);
            session.setManager(getManager());
            return session;
        } finally {
            context.unbind(false, before);
        }
    }

    @Override
    public void save(Session session) throws IOException {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(data)) {
            ((StandardSession) session).writeObjectData(out);
        }
        int seconds = session.getMaxInactiveInterval();
        if (seconds <= 0 || seconds > LONGEST_SECONDS) {
            seconds = LONGEST_SECONDS;
        }
        ask(bytes("SETEX"), key(session.getIdInternal()), bytes(Integer.toString(seconds)), data.toByteArray());
    }

    @Override
    public void remove(String id) throws IOException {
        ask(bytes("DEL"), key(id));
    }

    @Override
    protected synchronized void stopInternal() throws org.apache.catalina.LifecycleException {
        super.stopInternal();
        for (Connection connection = idle.poll(); connection != null; connection = idle.poll()) {
            connection.close();
        }
    }

    private static byte[] key(String id) {
        return bytes("session:" + id);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** One command and its answer. A connection that has been idle may be gone: then by a new one. */
    private byte[] ask(byte[]... command) throws IOException {
        Connection connection = idle.poll();
        if (connection != null) {
            try {
                return ask(connection, command);
            } catch (Refusal refusal) {
                throw refusal;
            } catch (IOException gone) {
                getManager().getContext().getLogger().debug("a connection to the sessions was gone");
            }
        }
        return ask(new Connection(), command);
    }

    private byte[] ask(Connection connection, byte[]... command) throws IOException {
        byte[] answer;
        try {
            answer = connection.ask(command);
        } catch (IOException broken) {
            connection.close();
            throw broken;
        }
        idle.add(connection);
        return answer;
    }

    /** What Redis says no to. */
    private static final class Refusal extends IOException {
        private static final long serialVersionUID = 1L;

        Refusal(String said) {
            super("the store of the sessions refuses: " + said);
        }
    }

    /** The protocol of Redis, as far as it is needed. */
    private final class Connection {
        private final Socket socket = new Socket();
        private final InputStream in;
        private final OutputStream out;

        Connection() throws IOException {
            try {
                socket.setTcpNoDelay(true);
                socket.setSoTimeout(PATIENCE_MILLISECONDS);
                socket.connect(new InetSocketAddress(host, port), PATIENCE_MILLISECONDS);
                in = new BufferedInputStream(socket.getInputStream());
                out = new BufferedOutputStream(socket.getOutputStream());
                ask(bytes("AUTH"), bytes(password));
            } catch (IOException failed) {
                close();
                throw failed;
            }
        }

        byte[] ask(byte[]... command) throws IOException {
            out.write(bytes("*" + command.length + "\r\n"));
            for (byte[] word : command) {
                out.write(bytes("$" + word.length + "\r\n"));
                out.write(word);
                out.write(bytes("\r\n"));
            }
            out.flush();
            String line = line();
            switch (line.charAt(0)) {
                case '-':
                    throw new Refusal(line.substring(1));
                case '$':
                    int length = Integer.parseInt(line.substring(1));
                    if (length < 0) {
                        return null;
                    }
                    byte[] data = in.readNBytes(length);
                    // The end of the line.
                    if (in.readNBytes(2).length < 2) {
                        throw new EOFException();
                    }
                    return data;
                default:
                    return bytes(line);
            }
        }

        private String line() throws IOException {
            StringBuilder line = new StringBuilder();
            for (int next = in.read(); next != '\n'; next = in.read()) {
                if (next < 0) {
                    throw new EOFException();
                }
                if (next != '\r') {
                    line.append((char) next);
                }
            }
            if (line.length() == 0) {
                throw new EOFException();
            }
            return line.toString();
        }

        void close() {
            try {
                socket.close();
            } catch (IOException ignored) {
                // It is gone either way.
            }
        }
    }
}
